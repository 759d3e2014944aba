"""What `decide` returns: the verdict with its reason, and what every look said."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pinroute.stats.hypotheses import Role


class Verdict(StrEnum):
    """How an experiment ends."""

    WINNER = "winner"
    BASELINE = "baseline"
    NO_DIFFERENCE = "no-difference"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One hypothesis at one look.

    `skipped` says why it was not tested; then nothing was spent, and there are no numbers.
    `critical` is +inf at a look that may spend next to nothing. `effect`, `low` and `high`
    are candidate minus control, as natural logarithms of a ratio or in the metric's unit;
    the interval is that of the critical value, valid at every look, for two-sided tests.
    """

    role: Role
    candidate: str
    metric: str
    skipped: str | None = None
    z: float | None = None
    critical: float | None = None
    information: float | None = None
    spent: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    crossed: bool = False


@dataclass(frozen=True, slots=True)
class LookReport:
    """One look: the values by metric and arm, and the outcomes. `note`: why it decides nothing."""

    number: int | None
    time: float
    values: Mapping[tuple[str, str], float | None]
    outcomes: tuple[Outcome, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict; None while the experiment goes on, and after a rung without harm.

    `over`: no further look of this plan changes anything. `winner` is a candidate's name.
    `reason` and `needs` (what it would take to know more) are plain sentences. `stopped` are
    candidates that must get no more users, each with the reason. `look` is the last one that
    counted.
    """

    verdict: Verdict | None
    over: bool
    winner: str | None
    reason: str
    needs: str
    look: int
    stopped: Mapping[str, str]
    reports: tuple[LookReport, ...] = ()
