"""The parts of a stage: which values of the user hash are called what, and meet which version.

Parts are in first-match order and together take every request: the groups (of an arm
with buckets each whole bucket, then the rest), then `unassigned`, `malformed` (with
`strict`) and `no-hash`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pinroute.istio.routelist import ANY, PRESENT, Values
from pinroute.spec.meaning import RESERVED
from pinroute.spec.model import Experiment, Group, VersionName
from pinroute.spec.promotion import SCALE, kind_of, promotion_of
from pinroute.table.universe import Universe

UNASSIGNED, MALFORMED, NO_HASH, FALLBACK = RESERVED


class Part(NamedTuple):
    """Some values of the user hash under one label, and the version they meet.

    `bucket` is the number of the bucket that they are, if they are one.
    """

    label: str
    version: VersionName
    values: tuple[Values, ...]
    bucket: int | None = None


def parts_of(experiment: Experiment, stage: str) -> list[Part]:
    """Return the parts of a stage; `stage` is its canonical name."""
    if stage == "done":
        return [Part(stage, experiment.baseline, (ANY,))]
    promotion = promotion_of(stage)
    if promotion is not None and kind_of(experiment, promotion) != SCALE:
        # One name for all phases: the same users meet the same version in the next one.
        label = promotion._replace(phase=0).name
        return [Part(label, experiment.versions[promotion.version - 1].name, (ANY,))]
    kind = "hashes" if experiment.user_hash.strict else "prefix"
    fallback = experiment.fallback
    observing = stage == "observe"
    parts: list[Part] = []
    arms, buckets = experiment.arms, experiment.buckets
    for group in experiment.groups:
        version = experiment.baseline if observing else group.version
        if buckets is not None and group.name in arms:
            parts += _buckets(experiment, buckets, group, version, kind)
        else:
            values = tuple(Values(kind, prefix) for prefix in group.prefixes)
            parts.append(Part(group.name, version, values))
    no_hash = experiment.baseline if observing else fallback.no_hash
    unassigned = experiment.baseline if observing else fallback.unassigned
    malformed = experiment.baseline if observing else (fallback.malformed or fallback.no_hash)
    if experiment.user_hash.strict:
        parts.append(Part(UNASSIGNED, unassigned, (Values("hashes"),)))
        parts.append(Part(MALFORMED, malformed, (PRESENT,)))
    else:
        parts.append(Part(UNASSIGNED, unassigned, (PRESENT,)))
    parts.append(Part(NO_HASH, no_hash, (ANY,)))
    return parts


def _buckets(
    experiment: Experiment, buckets: int, group: Group, version: VersionName, kind: str
) -> list[Part]:
    """Return a part for each whole bucket of a group, then one for what is left of it."""
    from pinroute.table.buckets import cut

    universe = Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)
    found = cut(universe, buckets, group.prefixes)
    parts = [
        Part(group.name, version, tuple(Values(kind, prefix) for prefix in prefixes), number)
        for number, prefixes in found.whole.items()
    ]
    if kind == "hashes":  # where a bucket is listed in pieces, nothing but its hashes is in it
        parts = [whole(part) for part in parts]
    # A value that is too short for a bucket, or goes on with something foreign, still begins
    # like the group.
    left = (*found.left, *(found.cut if kind == "prefix" else ()))
    if left or not parts:
        parts.append(Part(group.name, version, tuple(Values(kind, prefix) for prefix in left)))
    return parts


def whole(part: Part) -> Part:
    """Return a bucket that may be listed in pieces as one block."""
    from pinroute.table.buckets import joined

    if len(part.values) == 1:
        return part
    prefix = joined([values.prefix for values in part.values])
    return part._replace(values=(Values(part.values[0].kind, prefix),))


def merged_fallback(parts: Sequence[Part]) -> list[Part]:
    """Return the parts without fallbacks that the next one would serve alike."""
    kept = list(parts)
    while len(kept) > 1 and kept[-2].label in RESERVED and kept[-2].version == kept[-1].version:
        kept[-2:] = [Part(FALLBACK, kept[-1].version, (ANY,))]
    # `unassigned` may stand before a `malformed` that differs, and then has to stay.
    return kept
