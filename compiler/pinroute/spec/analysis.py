"""Can the arms of a comparison be measured bucket by bucket, as the spec asks?"""

from collections.abc import Iterator

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.model import Experiment
from pinroute.spec.nodes import Document

MOST_BUCKETS = 65536  # the schema's maximum
BUCKET_WIDTHS = (3, 4, 5)  # the digits of a bucket's number in the name of a counter


def check_analysis(document: Document, experiment: Experiment) -> Iterator[Diagnostic]:
    """Yield what is wrong with `analysis` and `buckets`, as far as the spec alone tells."""
    yield from _groups(document, experiment)
    if experiment.buckets is not None:
        yield from _number(document, experiment, experiment.buckets)
        yield from _counters(document, experiment)


def numbers_of_buckets(alphabet: str, digits: int) -> list[int]:
    """Return every number of buckets that user hashes can be cut into, the smallest first."""
    found: list[int] = []
    number = len(alphabet)
    while len(found) < digits and number <= MOST_BUCKETS:
        found.append(number)
        number *= len(alphabet)
    return found


def _groups(document: Document, experiment: Experiment) -> Iterator[Diagnostic]:
    known = [group.name for group in experiment.groups]
    control, treatments = experiment.analysis
    base: Path = ("spec", "analysis")
    named = [] if control is None else [((*base, "control"), control)]
    named += [((*base, "treatments", index), name) for index, name in enumerate(treatments)]
    first: dict[str, Path] = {}
    for path, name in named:
        where = document.span(path)
        if name not in known:
            hint = did_you_mean(name, known)
            problem = f"there is no group {name!r}"
            yield diagnose("PIN266", where, path, hint=hint, problem=problem)
        elif name in first:
            problem = f"group {name!r} is named twice"
            related = (Related(document.span(first[name]), f"the first {name!r} is here"),)
            yield diagnose("PIN266", where, path, related=related, problem=problem)
        first.setdefault(name, path)


def _number(document: Document, experiment: Experiment, buckets: int) -> Iterator[Diagnostic]:
    alphabet, digits = experiment.user_hash.alphabet, experiment.user_hash.digits
    possible = numbers_of_buckets(alphabet, digits)
    if buckets in possible:
        return
    path: Path = ("spec", "buckets")
    below = [number for number in possible if number < buckets]
    above = [number for number in possible if number > buckets]
    near = " or ".join(str(number) for number in (*below[-1:], *above[:1]))
    if buckets in numbers_of_buckets(alphabet, MOST_BUCKETS):
        problem = f"there are {len(alphabet)}^{digits} user hashes"
    else:
        problem = f"equal blocks that prefixes name are a power of {len(alphabet)}"
    yield diagnose("PIN262", document.span(path), path, value=buckets, problem=problem, near=near)


def _counters(document: Document, experiment: Experiment) -> Iterator[Diagnostic]:
    if not experiment.output.stat_prefixes:
        path: Path = ("spec", "output", "statPrefixes")
        problem = "output.statPrefixes is false, so that nothing counts them"
        hint = "remove it, or remove 'buckets'"
        yield diagnose("PIN265", document.span(path), path, hint=hint, problem=problem)
    if not experiment.groups:
        path = ("spec", "buckets")
        problem = "there is no group that could own one"
        hint = "add groups, or remove 'buckets'"
        where = document.span(path, key=True)
        yield diagnose("PIN265", where, path, hint=hint, problem=problem)
    names: list[tuple[Path, str]] = [
        (("spec", "groups", index, "name"), group.name)
        for index, group in enumerate(experiment.groups)
    ]
    if experiment.output.rules == "minimal":  # its other rules are called after versions
        names += [
            (("spec", "versions", index, "name"), version.name)
            for index, version in enumerate(experiment.versions)
        ]
    for place, name in names:
        number = name.rpartition("-b")[2]
        if number != name and number.isdigit() and len(number) in BUCKET_WIDTHS:
            problem = f"the counters of {name!r} are called like those of a bucket"
            hint = f"use a name that does not end like '-b{number}'"
            yield diagnose("PIN265", document.span(place), place, hint=hint, problem=problem)
