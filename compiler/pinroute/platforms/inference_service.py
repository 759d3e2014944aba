"""The InferenceService of a place: whose model it runs, and at what scale.

A version is its predictor and its transformer. How many replicas there are, and what else
the place says (a service account, tolerations, an explainer …), belongs to the place.
The old schema of a predictor has one field for each framework, the new one has `model`.
"""

from collections.abc import Mapping
from typing import Any

from pinroute.platforms.naming import api_version
from pinroute.spec.model import Body, Experiment, Version, VersionName

COMPONENTS = ("predictor", "transformer")
SCALE = ("minReplicas", "maxReplicas")

# What a predictor or transformer runs: of these a place keeps none when its model changes.
_MODELS = frozenset(
    (
        "model",
        "containers",
        "custom",  # KFServing's v1alpha2
        "huggingface",
        "lightgbm",
        "mlflow",
        "onnx",
        "paddle",
        "pmml",
        "pytorch",
        "sklearn",
        "tensorflow",
        "tensorrt",
        "triton",
        "xgboost",
    )
)
# A place that serves one version serves it to everybody.
_SPLIT = "canaryTrafficPercent"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def model_of(version: Version, manifests: Mapping[VersionName, Body]) -> Body | None:
    """Return `spec` of the InferenceService of a version, None where the spec does not say it."""
    own = version.inference_service
    given = manifests.get(version.name)
    if given is not None:
        return dict(given["spec"])
    if own is None or own.predictor is None:
        return None
    components = {"predictor": own.predictor, "transformer": own.transformer}
    return {name: dict(body) for name, body in components.items() if body is not None}


def with_transformers(experiment: Experiment, manifests: Mapping[VersionName, Body]) -> Experiment:
    """Return the experiment with the transformers of its manifests: they take the requests."""

    def version(one: Version) -> Version:
        own, given = one.inference_service, manifests.get(one.name)
        transformer = given["spec"].get("transformer") if given is not None else None
        if own is None or not isinstance(transformer, Mapping):
            return one
        return one._replace(inference_service=own._replace(transformer=transformer))

    if not manifests:
        return experiment
    return experiment._replace(versions=tuple(map(version, experiment.versions)))


def with_model(place: Body, model: Body) -> Body:
    """Return `spec` of an InferenceService with the model of another one.

    Kept is what is no model: the replicas of the place, and every field that the new
    model says nothing about. A transformer goes with its model.
    """
    kept = {name: body for name, body in place.items() if name not in COMPONENTS}
    new = {name: body for name, body in model.items() if body is not None}
    return {**kept, **new} | {
        name: _component(_fields(place.get(name)), new[name])
        for name in COMPONENTS
        if isinstance(new.get(name), Mapping)
    }


def _component(place: Body, model: Body) -> dict[str, Any]:
    own = {name: item for name, item in model.items() if name != _SPLIT}
    kept = {
        name: item
        for name, item in place.items()
        if name in SCALE or (name not in model and name not in _MODELS and name != _SPLIT)
    }
    return own | kept


def scaled_like(spec: Body, like: Body, *, uncapped: bool) -> Body:
    """Return `spec` of an InferenceService with at least the replicas of another one.

    `uncapped` tells that no `maxReplicas` means as many as it takes, as with Knative; in
    Standard mode it means `minReplicas`. Unchanged where nothing has to grow.
    """
    return {
        name: _grown(_fields(body), _fields(like.get(name)), uncapped=uncapped)
        if name in COMPONENTS and name in like
        else body
        for name, body in spec.items()
    }


def _grown(component: Body, like: Body, *, uncapped: bool) -> Body:
    low, high = _count(component.get("minReplicas"), 1), _count(component.get("maxReplicas"), 0)
    wanted, most = _count(like.get("minReplicas"), 1), _count(like.get("maxReplicas"), 0)
    found = dict(component)
    if wanted > low:
        found["minReplicas"] = low = wanted
    if high and not most and uncapped:
        del found["maxReplicas"]
    elif high and max(most, low) > high:
        found["maxReplicas"] = max(most, low)
    return found


def _count(value: object, default: int) -> int:
    """Return a number of replicas; what is none is what the platform would take."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _fields(value: object) -> Body:
    return value if isinstance(value, Mapping) else {}


def inference_service(
    experiment: Experiment, place: Version, manifests: Mapping[VersionName, Body], spec: Body
) -> Body:
    """Return the InferenceService in the place of a version, with this `spec`.

    Labels and annotations are those of the place's manifest, if there is one: what a
    mode or a webhook is told there has to stay.
    """
    own, platform = place.inference_service, experiment.environment.platform
    if own is None or platform is None:
        raise ValueError(f"version {place.name!r} has no InferenceService")
    metadata: dict[str, Any] = {"name": own.name, "namespace": own.namespace}
    given = _fields(manifests.get(place.name, {}).get("metadata"))
    for field in ("labels", "annotations"):
        entries = {key: text for key, text in _fields(given.get(field)).items() if key != _APPLIED}
        if entries:
            metadata[field] = entries
    return {
        "apiVersion": api_version(platform),
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": spec,
    }
