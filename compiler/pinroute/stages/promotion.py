"""What a promotion does to InferenceServices, and where the winner is while it lasts."""

from collections.abc import Mapping

from pinroute.platforms.inference_service import (
    inference_service,
    model_of,
    scaled_like,
    with_model,
)
from pinroute.spec.model import Body, Experiment, Version, VersionName
from pinroute.spec.promotion import RESTORE, RETURN, ROUTE, SCALE, UPDATE, copies

Manifests = Mapping[VersionName, Body]

_LARGE = (SCALE, ROUTE, UPDATE, RETURN)
_UPDATED = (UPDATE, RETURN, RESTORE, "")


def baseline_place(experiment: Experiment, winner: Version) -> Version:
    """Return the baseline's place with the winner in it.

    Name and namespace belong to the place; which of its components answers, a predictor
    or a transformer, belongs to the version.
    """
    place = experiment.version(experiment.baseline)
    here, there = place.inference_service, winner.inference_service
    if here is None or there is None:
        return place
    return place._replace(inference_service=here._replace(transformer=there.transformer))


def place_of(experiment: Experiment, winner: Version, kind: str) -> Version:
    """Return in whose place everybody meets the winner, in a phase or (no kind) after the last."""
    if copies(experiment, winner) and kind in (RETURN, RESTORE, ""):
        return baseline_place(experiment, winner)
    return winner


def inference_services(
    experiment: Experiment, winner: Version, kind: str, manifests: Manifests
) -> tuple[Body, ...]:
    """Return the InferenceServices of a phase, or (no kind) of the state after the last one.

    The candidate's is there where the spec says that it is smaller than the baseline's.
    """
    found = [
        candidate(experiment, winner, kind, manifests),
        updated(experiment, winner, manifests),
    ]
    if kind not in _UPDATED:
        found.pop()
    return tuple(body for body in found if body is not None)


def candidate(
    experiment: Experiment, winner: Version, kind: str, manifests: Manifests
) -> Body | None:
    """Return the winner's own InferenceService as a phase needs it, None if nobody writes it."""
    baseline = experiment.version(experiment.baseline)
    platform = experiment.environment.platform
    own, like = model_of(winner, manifests), model_of(baseline, manifests)
    if kind == "" or platform is None or own is None or like is None or winner == baseline:
        return None
    large = scaled_like(own, like, uncapped=platform.mode == "Knative")
    if large == own:
        return None
    return inference_service(experiment, winner, manifests, large if kind in _LARGE else own)


def updated(experiment: Experiment, winner: Version, manifests: Manifests) -> Body | None:
    """Return the InferenceService of the baseline's place with the winner's model in it."""
    model = model_of(winner, manifests)
    if not copies(experiment, winner) or model is None or experiment.environment.platform is None:
        return None
    baseline = experiment.version(experiment.baseline)
    spec = with_model(model_of(baseline, manifests) or {}, model)
    return inference_service(experiment, baseline, manifests, spec)


def doing(experiment: Experiment, winner: Version, kind: str) -> str:
    """Return what a phase does, in a plain sentence without its full stop."""
    if winner.name == experiment.baseline:
        return f"everybody meets {winner.name}, the baseline"
    return {
        SCALE: f"the place of {winner.name} grows to the size of the baseline's; nobody moves",
        ROUTE: f"everybody meets {winner.name}, in its own place",
        UPDATE: f"the baseline's place gets {winner.name}, while nobody is sent there",
        RETURN: f"everybody meets {winner.name}, in the baseline's place",
        RESTORE: f"the place of {winner.name} gets its own size back; nobody is sent there",
    }[kind]
