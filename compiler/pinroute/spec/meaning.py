"""Stage 4: is an experiment of the right shape also one that makes sense?

Names, references, stages and the user hash; prefixes have a module of their own, what
Istio and a platform demand is checked in their rooms.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.model import NO_ANALYSIS, Experiment
from pinroute.spec.nodes import Document, Mapping, Scalar
from pinroute.spec.prefixes import check_prefixes
from pinroute.spec.promotion import Promotion, phases
from pinroute.spec.resolve import ALPHABETS, ITER8_FIELDS
from pinroute.spec.scalars import plain_number


class Spec(NamedTuple):
    """An experiment together with the document it comes from."""

    document: Document
    experiment: Experiment


def check_meaning(spec: Spec) -> list[Diagnostic]:
    """Return what is wrong with the meaning of an experiment."""
    return [finding for check in _CHECKS for finding in check(spec)]


def _duplicate_names(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    lists: tuple[tuple[Path, str, Sequence[str]], ...] = (
        (("spec", "versions"), "version", [item.name for item in experiment.versions]),
        (("spec", "groups"), "group", [item.name for item in experiment.groups]),
        (("spec", "route", "http"), "route", [item.name for item in experiment.route.http]),
    )
    for parent, noun, names in lists:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            path = (*parent, index, "name")
            if name in first:
                before = document.span((*parent, first[name], "name"))
                related = (Related(before, f"the first {name!r} is here"),)
                yield diagnose(
                    "PIN207", document.span(path), path, related=related, noun=noun, value=name
                )
            first.setdefault(name, index)


# What the output calls the rules for requests that are in no group.
RESERVED = ("unassigned", "malformed", "no-hash", "fallback")


def _reserved_names(spec: Spec) -> Iterator[Diagnostic]:
    for index, group in enumerate(spec.experiment.groups):
        if group.name in RESERVED:
            path: Path = ("spec", "groups", index, "name")
            yield diagnose("PIN242", spec.document.span(path), path, name=group.name)


def _numbered_names(spec: Spec) -> Iterator[Diagnostic]:
    """Find versions whose name makes a stage a trap: a v2 that is not the second one."""
    for index, version in enumerate(spec.experiment.versions):
        number = version.name.removeprefix("v")
        if version.name != number and number.isdigit() and number != str(index + 1):
            path: Path = ("spec", "versions", index, "name")
            where = spec.document.span(path)
            yield diagnose("PIN245", where, path, name=version.name, place=index + 1)


def _references(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    known = [version.name for version in experiment.versions]
    fallback = experiment.fallback
    uses: list[tuple[Path, str]] = [(("spec", "baseline"), experiment.baseline)]
    uses += [
        (("spec", "groups", index, "version"), group.version)
        for index, group in enumerate(experiment.groups)
    ]
    named = (
        ("unassigned", fallback.unassigned),
        ("noHash", fallback.no_hash),
        ("malformed", fallback.malformed),
    )
    uses += [(("spec", "fallback", field), name) for field, name in named if name is not None]
    for path, name in uses:
        if name not in known and document.node(path) is not None:
            hint = did_you_mean(name, known)
            yield diagnose("PIN206", document.span(path), path, value=name, hint=hint)


def _user_hash(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    base: Path = ("spec", "userHash")
    source = document.node((*base, "from"))
    if isinstance(source, Mapping) and len(source.entries) > 1:
        yield diagnose("PIN221", document.span((*base, "from")), (*base, "from"))
    written = document.node((*base, "alphabet"))
    if isinstance(written, Scalar) and written.text not in ALPHABETS:
        text = written.text
        problem = None
        repeated = next((char for char in text if text.count(char) > 1), None)
        foreign = next((char for char in text if not ("!" <= char <= "~") or char == ","), None)
        if text.lower() in ALPHABETS:
            problem = "names are written in lower case"
        elif foreign is not None:
            problem = f"{foreign!r} cannot be told apart in a header"
        elif repeated is not None:
            problem = f"{repeated!r} occurs twice"
        if problem is not None:
            path = (*base, "alphabet")
            yield diagnose("PIN222", document.span(path), path, value=text, problem=problem)
    if experiment.user_hash.trust == "client":
        trust: Path = (*base, "trust")
        yield diagnose("PIN246", document.span(trust), trust)
    if experiment.fallback.malformed is not None and not experiment.user_hash.strict:
        path = ("spec", "fallback", "malformed")
        yield diagnose("PIN223", document.span(path, key=True), path)


def stage_names(experiment: Experiment) -> dict[str, str]:
    """Return every way to name a stage that is built, and the stage it names."""
    rungs = sorted({rung for group in experiment.groups for rung in group.ramp})
    ramps = [f"ramp-{plain_number(rung)}" for rung in rungs]
    names = {stage: stage for stage in ("observe", *ramps, "experiment")}
    promotions = [
        [Promotion(number, phase).name for phase in (*range(1, count + 1), 0)]
        for number, count in enumerate(
            (len(phases(experiment, version)) for version in experiment.versions), 1
        )
    ]
    names |= {stage: stage for stages in promotions for stage in stages}
    for stages, version in zip(promotions, experiment.versions, strict=True):
        for stage in stages:
            names.setdefault(f"promote-{version.name}{stage.removeprefix(stages[-1])}", stage)
    names["done"] = "done"
    return names


def _phase_names(spec: Spec) -> Iterator[Diagnostic]:
    """Find versions that are called like a phase of the promotion of another one."""
    versions = spec.experiment.versions
    names = {version.name for version in versions}
    for index, version in enumerate(versions):
        found = re.fullmatch(r"(.+)-phase-[1-9][0-9]*", version.name)
        if found is None:
            continue
        number = found[1].removeprefix("v")
        if found[1] in names or number in [str(place + 1) for place in range(len(versions))]:
            path: Path = ("spec", "versions", index, "name")
            where = spec.document.span(path)
            yield diagnose("PIN267", where, path, name=version.name, other=found[1])


def _stage(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    path: Path = ("spec", "stage")
    known = stage_names(experiment)
    if experiment.stage in known:
        return
    hint = did_you_mean(experiment.stage, known)
    yield diagnose("PIN219", document.span(path), path, value=experiment.stage, hint=hint)


_LATER: tuple[Path, ...] = (
    ("spec", "schedule"),
    ("spec", "outcomes"),
    *(("spec", field) for field in ITER8_FIELDS),
)


def not_built(kind: str, document: Document) -> Iterator[Diagnostic]:
    """Yield what later releases will do with a document that is no experiment."""
    if kind == "Metric":
        path: Path = ("kind",)
        yield diagnose("PIN215", document.span(path), path, field="kind Metric")
    elif document.node(("spec", "prometheus")) is not None:
        path = ("spec", "prometheus")
        yield diagnose("PIN215", document.span(path, key=True), path, field="spec.prometheus")


def _not_built(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    for path in _LATER:
        handed_on = path[1] in ITER8_FIELDS and experiment.output.iter8_experiment
        if not handed_on and document.node(path) is not None:
            hint = "remove it"
            if path[1] in ITER8_FIELDS:
                hint += ", or hand it to Iter8 with output.iter8Experiment: true"
            field = ".".join(str(step) for step in path)
            yield diagnose("PIN215", document.span(path, key=True), path, field=field, hint=hint)


def _splice(spec: Spec) -> Iterator[Diagnostic]:
    """Check what rules need that are put among those of another owner."""
    document, experiment = spec
    route = experiment.route
    base: Path = ("spec", "route", "virtualService")
    if route.file is not None and not route.splice:
        path = (*base, "file")
        problem = "'file' names the file of another owner, and mode 'splice' is not set"
        hint = "add 'mode: splice', or remove 'file'"
        yield diagnose("PIN256", document.span(path, key=True), path, hint=hint, problem=problem)
    if not route.splice:
        return
    if route.file is None:
        path = (*base, "mode")
        problem = "mode 'splice' has no file to put rules into"
        hint = "name the file of the VirtualService in 'file', relative to this spec"
        yield diagnose("PIN256", document.span(path), path, hint=hint, problem=problem)
    if not experiment.output.rule_names:
        path = ("spec", "output", "ruleNames")
        problem = "rules without names cannot be told from those of the owner"
        yield diagnose("PIN256", document.span(path), path, hint="remove it", problem=problem)
    for index, item in enumerate(route.http):
        if item.raw is not None:
            path = ("spec", "route", "http", index, "raw")
            problem = f"route {item.name!r} takes no part: its rule is one of the owner's own"
            hint = "write it into the owner's file"
            where = document.span(path, key=True)
            yield diagnose("PIN256", where, path, hint=hint, problem=problem)


def _analysis(spec: Spec) -> Iterator[Diagnostic]:
    if spec.experiment.buckets is None and spec.experiment.analysis == NO_ANALYSIS:
        return
    from pinroute.spec.analysis import check_analysis

    yield from check_analysis(spec.document, spec.experiment)


def _prefixes(spec: Spec) -> Iterator[Diagnostic]:
    yield from check_prefixes(spec.document, spec.experiment)


_CHECKS: tuple[Callable[[Spec], Iterator[Diagnostic]], ...] = (
    _duplicate_names,
    _reserved_names,
    _numbered_names,
    _phase_names,
    _references,
    _user_hash,
    _stage,
    _not_built,
    _splice,
    _prefixes,
    _analysis,
)
