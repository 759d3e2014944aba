"""Which users of an arm are in whole buckets, and are there enough of these to decide by?"""

from collections.abc import Iterator
from fractions import Fraction

from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.spec.analysis import numbers_of_buckets
from pinroute.spec.meaning import Spec, stage_names
from pinroute.spec.model import Experiment, GroupName
from pinroute.stages.stage import with_prefixes
from pinroute.table.buckets import coverage, length_of
from pinroute.table.universe import Universe

LEAST = 8  # below that no look is evaluated
ENOUGH = 32  # the default of the statistics: more gain nearly nothing


def check_coverage(spec: Spec) -> list[Diagnostic]:
    """Return which arms have too few whole buckets, and which users are in none.

    One finding of a kind for each arm, over all stages that have groups. The experiment
    has no errors.
    """
    experiment = spec.experiment
    if experiment.buckets is None:
        return []
    return list(_findings(spec, experiment.buckets))


def _findings(spec: Spec, buckets: int) -> Iterator[Diagnostic]:
    experiment = spec.experiment
    universe = Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)
    prefixes = _prefixes(experiment)
    share = f"{float(Fraction(100, buckets)):.6g}"
    for index, group in enumerate(experiment.groups):
        if group.name not in experiment.arms:
            continue
        path: Path = ("spec", "groups", index, "name")
        where = spec.document.span(path)
        own: dict[str, tuple[str, ...]] = {}
        for stage, listed in prefixes.items():
            if listed[group.name] not in own.values():  # `experiment` often is the last rung
                own[stage] = listed[group.name]
        found = {stage: coverage(universe, buckets, listed) for stage, listed in own.items()}
        few = {stage: one for stage, one in found.items() if one.whole < LEAST}
        if few:
            fewest = min(few, key=lambda stage: few[stage].whole)
            texts = {stage: str(one.whole) for stage, one in few.items()}
            noun = "whole bucket" if next(iter(texts.values())) == "1" else "whole buckets"
            yield diagnose(
                "PIN263",
                where,
                path,
                hint=_remedy(universe, buckets, own[fewest]),
                group=group.name,
                found=_by_stage(texts, f" {noun}"),
            )
        left = {stage: one for stage, one in found.items() if one.left}
        if left:
            texts = {stage: _percent(one.left, one.size) for stage, one in left.items()}
            yield diagnose(
                "PIN264",
                where,
                path,
                group=group.name,
                found=_by_stage(texts, ""),
                share=share,
                length=length_of(universe, buckets),
            )


def _prefixes(experiment: Experiment) -> dict[str, dict[GroupName, tuple[str, ...]]]:
    """Return the prefixes of the groups by stage; "" stands for all stages where they are alike."""
    stages = [""]
    if any(group.by_share for group in experiment.groups):
        names = dict.fromkeys(stage_names(experiment).values())
        stages = [name for name in names if name == "experiment" or name.startswith("ramp-")]
    return {
        stage: {group.name: group.prefixes for group in with_prefixes(experiment, stage).groups}
        for stage in stages
    }


def _by_stage(texts: dict[str, str], noun: str) -> str:
    """Return what differs by stage, the noun after the first, as `2 buckets in ramp-1, 5 in ramp-2`."""
    parts = [
        text + (noun if number == 0 else "") + (f" in {stage}" if stage else "")
        for number, (stage, text) in enumerate(texts.items())
    ]
    return ", ".join(parts)


def _remedy(universe: Universe, buckets: int, prefixes: tuple[str, ...]) -> str:
    """Return what gives an arm enough whole buckets: more of them, or a larger share."""
    more = {
        number: coverage(universe, number, prefixes).whole
        for number in numbers_of_buckets(universe.alphabet, universe.digits)
        if number > buckets
    }
    texts: dict[int, str] = {}
    for wanted in (LEAST, ENOUGH):
        number = next((number for number, whole in more.items() if whole >= wanted), None)
        if number is not None:
            texts[number] = f"'buckets: {number}' gives it {more[number]}"
    larger = f"a share of at least {_percent(LEAST, buckets)}" if buckets > LEAST else ""
    if not texts:
        return f"give it {larger}" if larger else "give it a larger share, and more buckets"
    text = f"{', '.join(texts.values())} ({ENOUGH} are enough)"
    return f"{text}; or give it {larger}" if larger else text


def _percent(part: int, whole: int) -> str:
    return f"{float(Fraction(100 * part, whole)) if whole else 0.0:.4g} %"
