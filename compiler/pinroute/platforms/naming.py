"""What the Service of an InferenceService is called, by platform and release.

KFServing and KServe up to 0.10 call it `<name>-predictor-default`; KServe 0.11 drops the
suffix for new InferenceServices (kserve pull request 2508), 0.16 drops it for all (4178).
A transformer stands before the predictor and takes the traffic.
"""

from pinroute.spec.model import InferenceService, Platform

_RANGES = {"kfserving": ((0, 5), (0, 7)), "kserve": ((0, 7), None)}


def release(version: str) -> tuple[int, int]:
    """Return major and minor of a release."""
    major, minor = version.split(".")[:2]
    return int(major[:9]), int(minor[:9])  # of a number as long as a file only the beginning


def release_problem(platform: Platform) -> str | None:
    """Return why a release is not supported."""
    first, end = _RANGES[platform.kind]
    number = release(platform.version)
    if number < first:
        return f"{platform.kind} is supported from {first[0]}.{first[1]} on"
    if end is not None and number >= end:
        return "KFServing was renamed: from 0.7 on it is 'kserve'"
    return None


def service_name(service: InferenceService, platform: Platform) -> str:
    """Return the name of the Service that answers for an InferenceService."""
    if service.service is not None:
        return service.service
    component = "transformer" if service.transformer is not None else "predictor"
    suffixed = platform.kind == "kfserving" or release(platform.version) < (0, 11)
    return f"{service.name}-{component}" + ("-default" if suffixed else "")


def inference_service_of(service: str) -> str | None:
    """Return which InferenceService a Service answers for, in any range; None for other names."""
    name = service.removesuffix("-default")
    for component in ("-predictor", "-transformer"):
        if name.endswith(component) and name != component:
            return name.removesuffix(component)
    return None


def api_version(platform: Platform) -> str:
    """Return the API version of InferenceService."""
    return (
        "serving.kubeflow.org/v1beta1"
        if platform.kind == "kfserving"
        else "serving.kserve.io/v1beta1"
    )
