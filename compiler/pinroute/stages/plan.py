"""Plans: the phases that lead from one state to another, each with its writes and its gates.

A forward plan promotes a version and moves nobody back (proof.py). An abort brings
everybody to the baseline at once; what it moves back is counted, and has a reason.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from pinroute.istio.emit import http_rules
from pinroute.istio.routelist import RouteList
from pinroute.platforms.inference_service import inference_service, model_of
from pinroute.spec.digest import digest
from pinroute.spec.model import Body, Experiment, Version, VersionName
from pinroute.spec.promotion import (
    RESTORE,
    RETURN,
    ROUTE,
    SCALE,
    UPDATE,
    Promotion,
    copies,
    phases,
    promotion_of,
)
from pinroute.stages.gates import Gate, Ready, Restored, RoutedEverywhere, Scaled, Warm
from pinroute.stages.promotion import Manifests, candidate, doing, updated
from pinroute.stages.stage import Stage, build_stage
from pinroute.stages.state import State, place_name, served, state_of
from pinroute.table.difference import ABSENT
from pinroute.table.impact import Move, runs_of
from pinroute.table.impact import moves as moves_between
from pinroute.table.measure import Share


class Phase(NamedTuple):
    """One wave of writes, and the gates that end it, all of them in this order.

    `inference_services` are written first, then `routes`; without routes the routing
    stays as it is. `before` and `after` tell what users meet: in between they may meet
    either. `name` is the stage that `compile` writes for it, empty if there is none.
    """

    number: int
    name: str
    kind: str
    does: str
    inference_services: tuple[Body, ...]
    routes: RouteList | None
    before: State
    after: State
    gates: tuple[Gate, ...]


class Plan(NamedTuple):
    """Phases in order. `winner` is whom everybody meets in the end.

    `forward` plans may move users to the winner only; others say their `reason`.
    """

    experiment: Experiment
    winner: str
    forward: bool
    start: State
    phases: tuple[Phase, ...]
    reason: str = ""

    @property
    def end(self) -> State:
        """What users meet after the last phase."""
        return self.phases[-1].after if self.phases else self.start


class CannotPlan(Exception):
    """The spec does not say what to put back into the baseline's place."""

    def __init__(self, place: str, serves: str, baseline: VersionName):
        super().__init__(f"{place} serves {serves}, and nobody says what {baseline} is")
        self.place = place
        self.serves = serves
        self.baseline = baseline


def start_of(experiment: Experiment, stage: str, manifests: Manifests) -> State:
    """Return the state of a live stage (its canonical name), once its gates are passed."""
    serves = served(experiment)
    promotion = promotion_of(stage)
    if promotion is not None:
        winner = experiment.versions[promotion.version - 1]
        kinds = phases(experiment, winner)
        past = kinds[: promotion.phase] if promotion.phase else kinds
        if UPDATE in past:
            baseline = experiment.version(experiment.baseline)
            serves[place_name(experiment, baseline)] = winner.name
    return _state(experiment, build_stage(experiment, stage, manifests), serves)


def promotion_plan(
    experiment: Experiment, manifests: Manifests, winner: Version, start: State, done: int = 0
) -> Plan:
    """Return how a version is promoted from a state; `done` phases are behind us already.

    A plan is not yet a proof: `proof.refutations` looks at it. Where the winner is the
    baseline, everybody goes back to it, as with an abort. Raises CannotPlan as that does.
    """
    if winner.name == experiment.baseline:
        name = Promotion(experiment.versions.index(winner) + 1, 1).name
        reason = f"{winner.name} is the baseline"
        plan = abort_plan(experiment, manifests, start, reason)
        return plan._replace(phases=(*plan.phases[:-1], plan.phases[-1]._replace(name=name)))
    found: list[Phase] = []
    now = start
    for number, kind in enumerate(phases(experiment, winner), 1):
        if number > done:
            found.append(_phase(experiment, manifests, winner, number, kind, now))
            now = found[-1].after
    return Plan(experiment, winner.name, True, start, tuple(found))


def _phase(
    experiment: Experiment,
    manifests: Manifests,
    winner: Version,
    number: int,
    kind: str,
    before: State,
) -> Phase:
    place = experiment.version(experiment.baseline)
    own, base = place_name(experiment, winner), place_name(experiment, place)
    name = Promotion(experiment.versions.index(winner) + 1, number).name
    bodies: tuple[Body | None, ...] = ()
    routes: RouteList | None = None
    after = before
    gates: tuple[Gate, ...] = ()
    if kind in (ROUTE, RETURN):
        stage = build_stage(experiment, name, manifests)
        routes = stage.routes
        after = _state(experiment, stage, before.serves)
        gates = (RoutedEverywhere(table_digest(routes)),)
    elif kind == UPDATE:
        bodies = (updated(experiment, winner, manifests),)
        after = before._replace(serves={**before.serves, base: winner.name})
        gates = (Ready(base, winner.name), Warm(base))
    elif kind == SCALE:
        bodies = (candidate(experiment, winner, kind, manifests),)
        gates = (Ready(own, winner.name), Scaled(own, base), Warm(own))
    elif kind == RESTORE:
        bodies = (candidate(experiment, winner, kind, manifests),)
        gates = (Restored(own),)
    written = tuple(body for body in bodies if body is not None)
    does = doing(experiment, winner, kind)
    return Phase(number, name, kind, does, written, routes, before, after, gates)


def step_plan(experiment: Experiment, manifests: Manifests, before: str, after: str) -> Plan:
    """Return the one step from a live stage to a stage of a promotion, all of its writes at once."""
    old, new = (start_of(experiment, name, manifests) for name in (before, after))
    stage = build_stage(experiment, after, manifests)
    promotion = promotion_of(after)
    winner = experiment.baseline
    if promotion is not None:
        winner = experiment.versions[promotion.version - 1].name
    bodies = stage.inference_services
    phase = Phase(1, after, "", f"the step to {after}", bodies, stage.routes, old, new, ())
    return Plan(experiment, winner, True, old, (phase,))


def abort_plan(experiment: Experiment, manifests: Manifests, start: State, reason: str) -> Plan:
    """Return how everybody gets back to the baseline from a state, at once.

    Where its place serves another version by now, it gets its own model back first; and
    where the Service that answers there would go with that version (a transformer), its
    users wait at its own place. Raises CannotPlan where the spec does not say what the
    baseline is.
    """
    baseline = experiment.version(experiment.baseline)
    place = place_name(experiment, baseline)
    serves = start.serves.get(place, baseline.name)
    found: list[Phase] = []
    now = start
    if serves != baseline.name:
        model = model_of(baseline, manifests)
        if model is None:
            raise CannotPlan(place, serves, baseline.name)
        away = _way_out(experiment, manifests, now, serves)
        found += away
        now = found[-1].after if away else now
        body = inference_service(experiment, baseline, manifests, model)
        after = now._replace(serves={**now.serves, place: baseline.name})
        does = f"the baseline's place gets {baseline.name} back"
        gates = (Ready(place, baseline.name),)
        number = len(found) + 1
        found.append(Phase(number, "", UPDATE, does, (body,), None, now, after, gates))
        now = after
    found.append(_to_the_baseline(experiment, manifests, now, len(found) + 1))
    return Plan(experiment, baseline.name, False, start, tuple(found), reason)


def _way_out(
    experiment: Experiment, manifests: Manifests, before: State, serves: str
) -> list[Phase]:
    """Return the phase that sends everybody to a version's own place, if they cannot stay."""
    known = [version for version in experiment.versions if version.name == serves]
    baseline = experiment.version(experiment.baseline)
    if not known or not copies(experiment, known[0]):
        return []
    components = {
        own.transformer is None
        for own in (known[0].inference_service, baseline.inference_service)
        if own is not None
    }
    if len(components) == 1:
        return []
    number = phases(experiment, known[0]).index(ROUTE) + 1
    phase = _phase(experiment, manifests, known[0], number, ROUTE, before)
    return [phase._replace(number=1)]


def close_plan(experiment: Experiment, manifests: Manifests, start: State, reason: str) -> Plan:
    """Return how an experiment ends: everybody meets the baseline, and no host loses its route.

    `experiment` is the closed spec, whose baseline is the winner (closing.py).
    """
    last = _to_the_baseline(experiment, manifests, start, 1, "done")
    return Plan(experiment, experiment.baseline, False, start, (last,), reason)


def _to_the_baseline(
    experiment: Experiment, manifests: Manifests, before: State, number: int, name: str = ""
) -> Phase:
    baseline = experiment.version(experiment.baseline)
    own = name or Promotion(experiment.versions.index(baseline) + 1).name
    stage = build_stage(experiment, own, manifests)
    after = _state(experiment, stage, before.serves)
    gates = (RoutedEverywhere(table_digest(stage.routes)),)
    does = doing(experiment, baseline, ROUTE)
    return Phase(number, own, ROUTE, does, (), stage.routes, before, after, gates)


def table_digest(routes: RouteList) -> str:
    """Return the digest of the rules of a stage, as its annotation has it."""
    return digest(http_rules(routes))


def moves(before: State, after: State) -> dict[str, list[Move]]:
    """Return who moves between two states, by entry of `route.http`: versions, not places.

    Requests without a user hash move with share 0, and `<absent>` for a witness.
    """
    found: dict[str, list[Move]] = {}
    for route, table in before.tables.items():
        if route not in after.tables:
            continue
        other = after.tables[route]
        old, new = runs_of(table, before.met), runs_of(other, after.met)
        found[route] = moves_between(table.universe, old, new)
        had, gets = before.met(table.leaf(None)), after.met(other.leaf(None))
        if had != gets:
            found[route].append(Move(had, gets, Share(Fraction(0)), ABSENT, ()))
    return found


def moved_back(plan: Plan) -> dict[tuple[str, str], Fraction]:
    """Return the share of the users that goes back in all, by the version before and after.

    Back is to the baseline; of several entries of `route.http` the largest share counts.
    Where only requests without a user hash go back, the share is 0.
    """
    found: dict[tuple[str, str], Fraction] = {}
    for moved in moves(plan.start, plan.end).values():
        for move in moved:
            pair = (str(move.before), str(move.after))
            if move.after == plan.experiment.baseline:
                found[pair] = max(found.get(pair, Fraction(0)), Fraction(move.share))
    return found


def _state(experiment: Experiment, stage: Stage, serves: Mapping[str, str]) -> State:
    rules = {
        route: [item for item in items if item.condition is items[0].condition]
        for route in stage.tables
        for items in (stage.routes.of_route(route),)
    }
    return state_of(experiment, rules, serves)
