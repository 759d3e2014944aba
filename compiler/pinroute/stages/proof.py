"""The proof of a forward plan: nobody is moved back, over every mix of two neighbouring phases.

During a phase a request may be routed by the rules before or after it, and a place that
is being updated may answer with the version before or after. The two differ: rules are
replaced once on each gateway, so that a user goes over once; a place with old and new
pods is drawn from at every request. Gates keep phases apart, so more than two never mix.

A plan is refused where a user
    back   has met the winner, and would meet another version;
    other  would meet a version that is neither the one of now nor the winner;
    mixed  is sent to a place while it changes its version.
An entry of `route.http` that a state does not have is `unrouted` there.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinroute.stages.plan import Phase, Plan
from pinroute.stages.state import Spot, State
from pinroute.table.joint import combinations
from pinroute.table.table import Leaf, Table

BACK, OTHER, MIXED = "back", "other", "mixed"
UNROUTED = "unrouted"


class Refutation(NamedTuple):
    """Why a plan is refused: in which phase, by whom, and what they would meet.

    `before` is the version that `witness` meets when the phase begins, `after` the one
    that it must not meet. The witness is a user hash where there is one, else a missing
    (`<absent>`) or malformed one.
    """

    kind: str
    phase: Phase
    route: str
    witness: str
    before: str
    after: str


def refutations(plan: Plan) -> list[Refutation]:
    """Return why a plan is no forward plan; nothing proves that it is one.

    Every value of the user hash is looked at, also missing and malformed ones, at once:
    for each combination of leaves of all tables that some value meets. One finding for each
    phase, kind and pair of versions. Raises ValueError where the universes differ.
    """
    found: dict[tuple[str, int, str, str, str], Refutation] = {}
    states = [plan.start, *(phase.after for phase in plan.phases)]
    for route in dict.fromkeys(route for state in states for route in state.tables):
        for one in _of_route(plan, states, route):
            key = (one.kind, one.phase.number, one.route, one.before, one.after)
            found.setdefault(key, one)
    return sorted(found.values(), key=lambda one: (one.phase.number, one.kind, one.route))


def _of_route(plan: Plan, states: Sequence[State], route: str) -> Iterator[Refutation]:
    known = next(state.tables[route] for state in states if route in state.tables)
    nowhere = Table(known.universe, (Leaf("", Spot(UNROUTED, UNROUTED)),), 0, 0)
    tables = [state.tables.get(route, nowhere) for state in states]
    for numbers, witness in combinations(tables).items():
        leaves = [table.leaves[number] for table, number in zip(tables, numbers, strict=True)]
        won = False
        for phase, old, new in zip(plan.phases, leaves, leaves[1:], strict=False):
            now, then = phase.before.met(old), phase.after.met(new)
            won = won or now == plan.winner
            yield from _of_phase(plan, phase, (old, new), (route, witness), won=won)
            won = won or then == plan.winner


def _of_phase(
    plan: Plan, phase: Phase, leaves: tuple[Leaf, Leaf], who: tuple[str, str], *, won: bool
) -> Iterator[Refutation]:
    """Yield what is wrong for one user in one phase, who has `won` if he has met the winner."""
    now = phase.before.met(leaves[0])
    for leaf in dict.fromkeys(leaves):
        versions = list(dict.fromkeys((phase.before.met(leaf), phase.after.met(leaf))))
        if len(versions) > 1:
            yield Refutation(MIXED, phase, *who, *versions)
        for met in versions:
            if won and met != plan.winner:
                yield Refutation(BACK, phase, *who, plan.winner, met)
            elif met not in (now, plan.winner):
                yield Refutation(OTHER, phase, *who, now, met)
