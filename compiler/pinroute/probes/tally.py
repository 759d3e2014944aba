"""What came back, counted by kind: the first witness of every kind of difference."""

from dataclasses import dataclass, field

from pinroute.probes.probe import Expected, Probe


@dataclass(frozen=True, slots=True)
class Reply:
    """A request, what was promised as far as it can be compared, and what was found.

    `found` is None where the reply tells nothing about the route; `problem` says why.
    `status` is that of the reply, 0 without one.
    """

    probe: Probe
    promised: Expected
    found: Expected | None
    status: int = 0
    problem: str = ""


@dataclass(slots=True)
class Kind:
    """Replies that are alike, by their first witness."""

    witness: Reply
    requests: int = 0


@dataclass(slots=True)
class Tally:
    """Counts replies. `failing` is how many came by the right rule and with status 5xx."""

    requests: int = 0
    right: int = 0
    failing: int = 0
    _different: dict[tuple[str, str, str, Expected, Expected], Kind] = field(default_factory=dict)
    _unanswered: dict[str, Kind] = field(default_factory=dict)

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.requests += 1
        if reply.found is None:
            self._unanswered.setdefault(reply.problem, Kind(reply)).requests += 1
            return
        promised = reply.promised._replace(label="")
        if reply.found == promised:
            self.right += 1
            self.failing += reply.status >= 500
            return
        request = reply.probe.request
        key = (reply.probe.route, request.method, request.path, promised, reply.found)
        self._different.setdefault(key, Kind(reply)).requests += 1

    @property
    def different(self) -> list[Kind]:
        """The kinds of differences, in the order in which they first occurred."""
        return list(self._different.values())

    @property
    def unanswered(self) -> list[Kind]:
        """The kinds of problems for which nothing could be compared."""
        return list(self._unanswered.values())
