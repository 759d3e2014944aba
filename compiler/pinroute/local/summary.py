"""What a trial showed: rows of requests of one kind, and the totals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pinroute.local.trial import Observation


@dataclass(slots=True)
class Row:
    """Requests of one kind with one expectation."""

    who: str
    expected: str
    requests: int = 0
    mismatches: int = 0
    met: dict[str, int] = field(default_factory=dict)

    @property
    def seen(self) -> str:
        """What was met, separated by commas."""
        return ", ".join(sorted(self.met))


class Summary:
    """Collects observations of one or several experiments."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}
        self.requests = 0
        self.mismatches = 0
        self.by_version: dict[str, int] = {}

    def add(self, label: str, observations: Sequence[Observation]) -> None:
        """Count observations; `label` stands before each row if it is not empty."""
        for observation in observations:
            probe = observation.probe
            who = f"{label}: {probe.who}" if label else probe.who
            expected = probe.expected.name
            row = self._rows.setdefault((who, expected), Row(who, expected))
            seen = observation.seen.name
            row.requests += 1
            row.met[seen] = row.met.get(seen, 0) + 1
            self.requests += 1
            self.by_version[seen] = self.by_version.get(seen, 0) + 1
            if not observation.right:
                row.mismatches += 1
                self.mismatches += 1

    def rows(self) -> list[Row]:
        """Return the rows in the order in which they first occurred."""
        return list(self._rows.values())

    def sentence(self) -> str:
        """Return the totals in words."""
        shares = ", ".join(f"{name} {count:,}" for name, count in sorted(self.by_version.items()))
        return f"{self.requests:,} requests, {self.mismatches:,} mismatches: {shares}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of schemas/cli/try.schema.json."""
        return {
            "requests": self.requests,
            "mismatches": self.mismatches,
            "byVersion": dict(sorted(self.by_version.items())),
            "rows": [
                {
                    "who": row.who,
                    "requests": row.requests,
                    "expected": row.expected,
                    "seen": row.seen,
                    "mismatches": row.mismatches,
                }
                for row in self.rows()
            ],
        }
