"""A promotion for people and machines: its phases, what they write, whom they move, what ends them."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from pinroute.cli.report import dumped
from pinroute.manifest.bundle import render_phase
from pinroute.spec.promotion import copies
from pinroute.stages.plan import Phase, Plan, moved_back, moves
from pinroute.stages.state import State, place_name
from pinroute.table.difference import ABSENT
from pinroute.table.impact import Move


class Promoted(NamedTuple):
    """A plan, the digest of its spec, from which live stage on, and how many phases are done."""

    plan: Plan
    digest: str
    stage: str
    done: int

    @property
    def strategy(self) -> str:
        """How the winner takes over; `none` if it is the baseline."""
        experiment = self.plan.experiment
        if not self.plan.forward:
            return "none"
        return "copy" if copies(experiment, experiment.version(self.plan.winner)) else "swap"


def as_text(promoted: Promoted) -> str:
    """Return a paragraph for each phase, and what is proved in the end."""
    plan = promoted.plan
    head = f"{plan.experiment.name}: {plan.winner} from stage {promoted.stage} on"
    if plan.forward:
        head += f", by {promoted.strategy}"
    if promoted.done:
        head += f"; phase {promoted.done} is done"
    parts = [f"{head}\n"]
    parts += [_phase(promoted, phase) for phase in plan.phases]
    return "\n".join([*parts, f"{_sum(plan)}\n"])


def _phase(promoted: Promoted, phase: Phase) -> str:
    written = [f"{kind} {namespace}/{name}" for kind, namespace, name in _writes(promoted, phase)]
    rows = (
        ("writes", written or ["nothing that the spec knows of"]),
        ("serves", _serves(promoted.plan, phase)),
        ("moves", _moves(phase)),
        ("until", [str(gate) for gate in phase.gates]),
    )
    lines = [f"{phase.name or phase.number}: {phase.does}\n"]
    for word, entries in rows:
        for number, entry in enumerate(entries):
            lines.append(f"  {'' if number else word:<8}{entry}\n")
    return "".join(lines)


def _writes(promoted: Promoted, phase: Phase) -> list[tuple[str, str, str]]:
    """Return kind, namespace and name of what a phase writes."""
    objects = render_phase(promoted.plan.experiment, phase, promoted.digest)
    return [
        (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) for item in objects
    ]


def _serves(plan: Plan, phase: Phase) -> list[str]:
    found = []
    for place in _places(plan):
        before, after = _version_at(phase.before, place), _version_at(phase.after, place)
        found.append(f"{place}: " + (after if before == after else f"{before}, then {after}"))
    return found


def _places(plan: Plan) -> list[str]:
    return list(
        dict.fromkeys(place_name(plan.experiment, version) for version in plan.experiment.versions)
    )


def _version_at(state: State, place: str) -> str:
    return state.serves.get(place, "several versions")


def _moves(phase: Phase) -> list[str]:
    found = []
    for route, moved in moves(phase.before, phase.after).items():
        for move in moved:
            where = f" of route {route}" if route else ""
            one = "" if move.witness == ABSENT else f", for example {move.witness}"
            found.append(f"{_who(move)}{where} from {move.before} to {move.after}{one}")
    return found or ["nobody"]


def _who(move: Move) -> str:
    if move.witness == ABSENT:
        return "requests without a hash"
    return f"{float(move.share):.4%} of the users"


def _sum(plan: Plan) -> str:
    """Return what all phases together do to users."""
    if not plan.phases:
        return f"everybody meets {plan.winner}: nothing is left to do"
    back = moved_back(plan)
    if back:
        parts = [
            (f"{float(share):.4%} of the users go" if share else "requests without a hash go")
            + f" back from {before} to {after}"
            for (before, after), share in back.items()
        ]
        return "; ".join(parts) + f": {plan.reason}"
    moved = _moved(plan)
    if not plan.forward:
        return f"nobody goes back: {plan.reason}"
    return (
        f"{float(moved):.4%} of the users move, once, to {plan.winner}; nobody goes back, "
        "proved over every mix of two neighbouring phases"
    )


def _moved(plan: Plan) -> Fraction:
    """Return the largest share of users that moves in any one route."""
    found = moves(plan.start, plan.end).values()
    return max(
        (sum((move.share for move in moved), Fraction(0)) for moved in found), default=Fraction(0)
    )


def as_json(promoted: Promoted) -> str:
    """Return the JSON of schemas/cli/promotion.schema.json."""
    plan = promoted.plan
    body: dict[str, Any] = {
        "kind": "Promotion",
        "experiment": plan.experiment.name,
        "version": plan.winner,
        "strategy": promoted.strategy,
        "stage": promoted.stage,
        "forward": plan.forward,
        "reason": plan.reason,
        "moved": float(_moved(plan)),
        "movedBack": [
            {"from": before, "to": after, "share": float(share)}
            for (before, after), share in moved_back(plan).items()
        ],
        "phases": [_fields(promoted, phase) for phase in plan.phases],
    }
    return dumped(body)


def _fields(promoted: Promoted, phase: Phase) -> dict[str, Any]:
    return {
        "number": phase.number,
        "stage": phase.name,
        "kind": phase.kind,
        "does": phase.does,
        "writes": [
            {"kind": kind, "namespace": namespace, "name": name}
            for kind, namespace, name in _writes(promoted, phase)
        ],
        "serves": [
            {
                "place": place,
                "before": phase.before.serves.get(place),
                "after": phase.after.serves.get(place),
            }
            for place in _places(promoted.plan)
        ],
        "moves": [
            {
                "route": route,
                "from": str(move.before),
                "to": str(move.after),
                "share": float(move.share),
                "witness": move.witness,
            }
            for route, moved in moves(phase.before, phase.after).items()
            for move in moved
        ],
        "gates": [{"kind": type(gate).__name__, **gate._asdict()} for gate in phase.gates],
    }


FORMATS: dict[str, Callable[[Promoted], str]] = {"text": as_text, "json": as_json}
