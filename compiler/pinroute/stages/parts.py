"""The parts of a stage: which values of the user hash are called what, and meet which version.

Parts are in first-match order and together take every request: the groups, then
`unassigned`, `malformed` (with `strict`) and `no-hash`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pinroute.istio.routelist import ANY, PRESENT, Values
from pinroute.spec.meaning import RESERVED
from pinroute.spec.model import Experiment, VersionName
from pinroute.spec.promotion import SCALE, kind_of, promotion_of

UNASSIGNED, MALFORMED, NO_HASH, FALLBACK = RESERVED


class Part(NamedTuple):
    """Some values of the user hash under one label, and the version they meet."""

    label: str
    version: VersionName
    values: tuple[Values, ...]


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
    parts = [
        Part(
            group.name,
            experiment.baseline if observing else group.version,
            tuple(Values(kind, prefix) for prefix in group.prefixes),
        )
        for group in experiment.groups
    ]
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


def merged_fallback(parts: Sequence[Part]) -> list[Part]:
    """Return the parts without fallbacks that the next one would serve alike."""
    kept = list(parts)
    while len(kept) > 1 and kept[-2].label in RESERVED and kept[-2].version == kept[-1].version:
        kept[-2:] = [Part(FALLBACK, kept[-1].version, (ANY,))]
    # `unassigned` may stand before a `malformed` that differs, and then has to stay.
    return kept
