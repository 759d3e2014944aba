"""Iter8's own Experiment (v2alpha2), for those who let Iter8 0.7 measure and decide."""

from typing import Any

from pinroute.spec.model import Experiment, Version

JsonObject = dict[str, Any]

# Iter8's names for the fields of a spec that it understands.
_CRITERIA = ("requestCount", "rewards", "objectives", "indicators")


def iter8_experiment(experiment: Experiment) -> JsonObject:
    """Return the Experiment that describes the same versions to Iter8.

    The split is fixed: who meets which version is the VirtualService's business.
    """
    extra = experiment.extra
    candidates = [
        version for version in experiment.versions if version.name != experiment.baseline
    ]
    criteria = extra.get("criteria", {})
    rewards = criteria.get("rewards")
    strategy: JsonObject = {
        "testingPattern": ("A/B" if len(candidates) == 1 else "A/B/N") if rewards else "Canary",
        "deploymentPattern": "FixedSplit",
    }
    if "actions" in extra:
        strategy["actions"] = {name: list(steps) for name, steps in extra["actions"].items()}
    spec: JsonObject = {"target": experiment.target or experiment.name, "strategy": strategy}
    if criteria:
        spec["criteria"] = {name: criteria[name] for name in _CRITERIA if name in criteria}
    if "duration" in extra:
        spec["duration"] = dict(extra["duration"])
    spec["versionInfo"] = {
        "baseline": _version(experiment.version(experiment.baseline)),
        "candidates": [_version(version) for version in candidates],
    }
    metadata: JsonObject = {"name": experiment.name}
    if experiment.namespace is not None:
        metadata["namespace"] = experiment.namespace
    return {
        "apiVersion": "iter8.tools/v2alpha2",
        "kind": "Experiment",
        "metadata": metadata,
        "spec": spec,
    }


def _version(version: Version) -> JsonObject:
    described: JsonObject = {"name": version.name}
    if version.inference_service is not None:
        namespace = {"name": "ns", "value": version.inference_service.namespace}
        described["variables"] = [namespace]
    return described
