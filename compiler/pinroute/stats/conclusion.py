"""What follows from the outcomes of a look: who is out, who wins, whether it is over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pinroute.stats import sentences
from pinroute.stats.hypotheses import Role
from pinroute.stats.limits import broken
from pinroute.stats.measurement import Measured
from pinroute.stats.observation import Look
from pinroute.stats.plan import Direction, Kind, Reward, Scale
from pinroute.stats.state import Closed, Memory, State
from pinroute.stats.verdict import Decision, Outcome, Verdict

HARMED, WORSE, EQUAL = "harmed", "worse", "equal"


@dataclass(frozen=True, slots=True)
class Situation:
    """A look that was tested: `state` with its spending and crossings, `outcomes` by place."""

    state: State
    look: Look
    measured: Measured
    outcomes: Mapping[int, Outcome]
    number: int

    def places(self, candidate: str, *roles: Role) -> list[int]:
        """Return the places of a candidate's hypotheses of some roles."""
        return [
            place
            for place, one in enumerate(self.state.hypotheses)
            if one.candidate == candidate and one.role in roles
        ]

    @property
    def memory(self) -> Memory:
        return self.state.memory

    @property
    def open(self) -> list[str]:
        """The candidates that are not out."""
        out = {one.candidate for one in self.memory.closed}
        return [name for name in self.state.plan.candidates if name not in out]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a candidate from winning now. `only_limit`: nothing but a plain limit does."""

    reason: str
    needs: str
    only_limit: bool = False


def conclude(situation: Situation) -> State:
    """Return the state after a look, with a decision: a verdict, or none yet."""
    split = _split(situation)
    if split is not None:
        return decided(situation, Verdict.INVALID, split, sentences.SPLIT_NEEDS)
    situation = _without(situation, ((HARMED, _harm), (WORSE, _worse)))
    plan = situation.state.plan
    obstacles: dict[str, Obstacle] = {}
    for candidate in situation.open:
        obstacle = _obstacle(situation, candidate)
        if obstacle is not None:
            obstacles[candidate] = obstacle
    winners = [name for name in situation.open if name not in obstacles]
    if winners and not plan.watch_only:
        return _won(situation, winners)
    situation = _without(situation, ((EQUAL, _equal),))
    if not situation.open:
        return _nobody_left(situation)
    left = [obstacles[name] for name in situation.open if name in obstacles]
    reason = " ".join(sentences.sentence(one.reason) for one in left)
    needs = " ".join(dict.fromkeys(one.needs for one in left))
    if not plan.schedule.ends(situation.number):
        return decided(situation, None, reason, needs, over=False)
    if plan.watch_only:
        return decided(situation, None, "No harm was found on this rung", "The next rung.")
    if all(one.only_limit for one in left):
        return decided(situation, Verdict.BASELINE, reason, needs)
    return decided(situation, Verdict.INCONCLUSIVE, f"The last look came first. {reason}", needs)


def decided(
    situation: Situation,
    verdict: Verdict | None,
    reason: str,
    needs: str,
    *,
    over: bool = True,
    winner: str | None = None,
) -> State:
    """Return the state with a decision."""
    stopped = {
        one.candidate: one.reason
        for one in situation.memory.closed
        if one.status in (HARMED, WORSE)
    }
    decision = Decision(
        verdict, over, winner, sentences.sentence(reason), needs, situation.number, stopped
    )
    return replace(situation.state, decision=decision)


def _split(situation: Situation) -> str | None:
    """Return the sentence about a split that contradicts the shares, if one does."""
    before = situation.state.before
    for outcome in situation.outcomes.values():
        if outcome.role is not Role.SPLIT or not outcome.crossed:
            continue
        arms = (situation.state.plan.control, outcome.candidate)
        if all(situation.look.users.get(arm) is not None for arm in arms):
            return sentences.SPLIT_OF_USERS
        if before is not None and all(before.requests.get(arm) for arm in arms):
            return sentences.SPLIT_SINCE
        return sentences.SPLIT_OF_REQUESTS
    return None


def _without(
    situation: Situation, reasons: Sequence[tuple[str, Callable[[Situation, str], str | None]]]
) -> Situation:
    """Return the situation without the candidates that are out for one of some reasons."""
    closed = list(situation.memory.closed)
    for candidate in situation.open:
        for status, why in reasons:
            reason = why(situation, candidate)
            if reason is not None:
                closed.append(Closed(candidate, status, sentences.sentence(reason)))
                break
    memory = replace(situation.memory, closed=tuple(closed))
    return replace(situation, state=replace(situation.state, memory=memory))


def _harm(situation: Situation, candidate: str) -> str | None:
    """Return why a candidate does harm."""
    plan = situation.state.plan
    for place in situation.places(candidate, Role.HARM, Role.ANY_HARM):
        outcome = situation.outcomes.get(place)
        if outcome is None or not outcome.crossed:
            continue
        metric = plan.metric(outcome.metric)
        how = (
            "worse than its margin allows"
            if outcome.role is Role.HARM
            else f"worse than that of {plan.control}, and estimated beyond its margin"
        )
        return f"{candidate} does harm: its {metric.name} is {how} ({sentences.effect(metric, outcome)})"
    return None


def _worse(situation: Situation, candidate: str) -> str | None:
    """Return why a candidate has lost by its reward."""
    for place in situation.places(candidate, Role.REWARD):
        statistic = situation.measured.statistics[place]
        if isinstance(statistic, str) or not situation.memory.opposed[place]:
            continue
        if statistic.against > 0.0 and _too_early(situation, candidate) is None:
            control = situation.state.plan.control
            return f"{candidate} is worse than {control}: {_shown(situation, place)}"
    return None


def _equal(situation: Situation, candidate: str) -> str | None:
    """Return why a candidate makes no difference."""
    reward = situation.state.plan.reward
    for place in situation.places(candidate, Role.EQUIVALENCE):
        outcome = situation.outcomes.get(place)
        if outcome is None or not outcome.crossed or reward is None:
            continue
        if _too_early(situation, candidate) is None:
            metric = situation.state.plan.metric(reward.metric)
            edge = f"{reward.rope:.4g}" if metric.scale is Scale.DIFFERENCE else _percent(reward)
            return (
                f"the difference between {candidate} and {situation.state.plan.control} in "
                f"{metric.name} is shown to be smaller than {edge} "
                f"({sentences.effect(metric, outcome)})"
            )
    return None


def _percent(reward: Reward) -> str:
    return f"{100.0 * (reward.rope or 0.0):.3g} %"


def _obstacle(situation: Situation, candidate: str) -> Obstacle | None:
    """Return the first thing that keeps a candidate from winning."""
    plan = situation.state.plan
    if plan.watch_only:
        return Obstacle("no harm was found so far", "The next looks, and the next rung.")
    if plan.reward is None and not plan.guardrails:
        return Obstacle("nothing decides: there is neither a reward nor a guardrail", "Criteria.")
    for place in situation.places(candidate, Role.REWARD, Role.NON_INFERIORITY):
        obstacle = _not_shown(situation, place)
        if obstacle is not None:
            return obstacle
    early = _too_early(situation, candidate)
    if early is not None:
        return Obstacle(early, "The next looks.")
    limit = broken(plan, candidate, situation.measured.estimates)
    if limit is not None:
        reason = f"{limit}; this was compared without error control"
        return Obstacle(reason, "Nothing, as long as the limit stands.", only_limit=True)
    return None


def _not_shown(situation: Situation, place: int) -> Obstacle | None:
    """Return why a reward or the non-inferiority of a guardrail is not shown, if it is not."""
    hypothesis = situation.state.hypotheses[place]
    candidate, metric = hypothesis.candidate, situation.state.plan.metric(hypothesis.metric)
    statistic = situation.measured.statistics[place]
    if isinstance(statistic, str):
        needs = (
            "Values for each bucket, or a declared noise."
            if metric.kind is Kind.PLAIN
            else "A later look at which it can be read, with enough users in both arms."
        )
        return Obstacle(f"{candidate} cannot be compared: {statistic}", needs)
    if situation.memory.crossed[place] and statistic.z > 0.0:
        return None
    outcome = situation.outcomes[place]
    if hypothesis.role is Role.REWARD:
        return Obstacle(
            f"the difference between {candidate} and {situation.state.plan.control} may be "
            f"chance: {_shown(situation, place)}",
            sentences.detectable(metric, outcome),
        )
    return Obstacle(
        f"{candidate} is not yet shown to be within the margin of {metric.name} "
        f"({sentences.effect(metric, outcome)})",
        f"More users, or a wider margin: of {metric.name} it should be at least four "
        "standard errors at the last look.",
    )


def _too_early(situation: Situation, candidate: str) -> str | None:
    """Return which minimum of looks, time or users is not reached."""
    plan, look = situation.state.plan, situation.look
    schedule = plan.schedule
    places = situation.places(candidate, Role.REWARD) or situation.places(
        candidate, Role.NON_INFERIORITY
    )
    looks = min((situation.memory.evaluated[place] for place in places), default=0)
    least = schedule.needed_looks(situation.number)
    if looks < least:
        return f"{candidate} was compared at {looks} of at least {least} looks"
    if look.elapsed < schedule.least_seconds:
        return f"{look.elapsed:,.0f} of at least {schedule.least_seconds:,.0f} seconds have passed"
    for arm in (plan.control, candidate) if schedule.least_users else ():
        users = _users(situation, arm)
        if users < schedule.least_users:
            return f"{arm} has {users:,.0f} of at least {schedule.least_users:,.0f} users"
    return None


def _users(situation: Situation, arm: str) -> float:
    """Return an arm's users: counted ones, or else the effective number that the spread shows."""
    counted = situation.look.users.get(arm)
    if counted is not None:
        return counted
    plan = situation.state.plan
    names = [plan.reward.metric] if plan.reward else [one.metric for one in plan.guardrails]
    return min(situation.measured.estimates[name, arm].users for name in names)


def _shown(situation: Situation, place: int) -> str:
    """Return the effect of a hypothesis in words, with the metric's name."""
    metric = situation.state.plan.metric(situation.state.hypotheses[place].metric)
    outcome = situation.outcomes.get(place)
    return f"{metric.name} {sentences.effect(metric, outcome) if outcome else 'unknown'}"


def _won(situation: Situation, winners: Sequence[str]) -> State:
    """Return the state in which the best of the candidates that passed has won."""
    plan = situation.state.plan
    names = [guardrail.metric for guardrail in plan.guardrails]
    within = f"; within the margin of {sentences.joined(names)}" if names else ""
    if plan.reward is None:
        best = winners[0]
        reason = f"{best} is as good as {plan.control}{within}"
        needs = "Nothing. A reward would say whether it is better."
        return decided(situation, Verdict.WINNER, reason, needs, winner=best)
    sign = 1.0 if plan.reward.direction is Direction.HIGH else -1.0
    place = {name: situation.places(name, Role.REWARD)[0] for name in winners}
    effects = {name: situation.outcomes[place[name]].effect or 0.0 for name in winners}
    best = max(winners, key=lambda name: sign * effects[name])
    reason = f"{best} is better than {plan.control}: {_shown(situation, place[best])}{within}"
    others = [name for name in winners if name != best]
    if others:
        reason += f". {sentences.joined(others)} passed too, with a smaller effect"
    needs = "Nothing. More users would narrow the interval."
    return decided(situation, Verdict.WINNER, reason, needs, winner=best)


def _nobody_left(situation: Situation) -> State:
    """Return the state in which every candidate is out."""
    closed = situation.memory.closed
    reason = " ".join(one.reason for one in closed)
    if all(one.status == EQUAL for one in closed):
        needs = "A narrower ROPE, and more users, would show a smaller difference."
        return decided(situation, Verdict.NO_DIFFERENCE, reason, needs)
    return decided(situation, Verdict.BASELINE, reason, "Another candidate.")
