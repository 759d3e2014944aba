"""How a winner takes over: by copy or by swap, in which phases, and what its stages are called.

scale    the candidate is made as large as the baseline
route    everybody goes to the winner's own place
update   the baseline's place gets the winner's model, while nobody is sent there
return   everybody goes to the baseline's place, which serves the winner by now
restore  the candidate is made as small as it was

A phase is one wave of writes, ended by its gates. `promote-vK` is the state after the last one.
"""

import re
from typing import NamedTuple

from pinroute.spec.model import Experiment, Version

SCALE, ROUTE, UPDATE, RETURN, RESTORE = "scale", "route", "update", "return", "restore"
COPY = (SCALE, ROUTE, UPDATE, RETURN, RESTORE)
SWAP = (SCALE, ROUTE)
BASELINE = (ROUTE,)

_NAME = re.compile(r"promote-v([1-9][0-9]*)(?:-phase-([1-9][0-9]*))?")


class Promotion(NamedTuple):
    """What a stage of a promotion is called after: a version's number, and a phase's (0: none)."""

    version: int
    phase: int = 0

    @property
    def name(self) -> str:
        """The canonical name of the stage."""
        return f"promote-v{self.version}" + (f"-phase-{self.phase}" if self.phase else "")


def promotion_of(stage: str) -> Promotion | None:
    """Return which promotion a canonical stage name is of, None for other stages."""
    found = _NAME.fullmatch(stage)
    return Promotion(int(found[1]), int(found[2] or 0)) if found is not None else None


def copies(experiment: Experiment, winner: Version) -> bool:
    """Tell whether the promotion of a version copies it into the baseline's place.

    That is Iter8's way and the default for InferenceServices; a Service cannot be
    copied, so there the candidate's own place takes all traffic. Nothing is copied
    where the winner is the baseline, or both are one InferenceService.
    """
    places = {version.name: version.inference_service for version in experiment.versions}
    here, there = places.get(winner.name), places.get(experiment.baseline)
    if experiment.promotion == "swap" or None in places.values() or here is None or there is None:
        return False
    return (here.namespace, here.name) != (there.namespace, there.name)


def phases(experiment: Experiment, winner: Version) -> tuple[str, ...]:
    """Return the kinds of the phases in which a version is promoted, in order."""
    if winner.name == experiment.baseline:
        return BASELINE
    return COPY if copies(experiment, winner) else SWAP


def kind_of(experiment: Experiment, promotion: Promotion) -> str:
    """Return the kind of a phase, and nothing for the state after the last one."""
    if not promotion.phase:
        return ""
    return phases(experiment, experiment.versions[promotion.version - 1])[promotion.phase - 1]
