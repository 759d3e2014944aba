"""What backends are called: every range of releases, and every way to address one."""

import pytest

from pinroute.platforms.address import Address, address
from pinroute.platforms.naming import api_version, release, release_problem, service_name
from pinroute.spec.model import (
    NO_HEADERS,
    Environment,
    InferenceService,
    Platform,
    Service,
    Version,
    VersionName,
)

Body = dict[str, object]
SERVING = "serving.kserve.io/v1beta1"
KUBEFLOW = "serving.kubeflow.org/v1beta1"


def inference(transformer: Body | None = None, service: str | None = None) -> InferenceService:
    return InferenceService("flowers", "ns", service, None, {"sklearn": {}}, transformer)


@pytest.mark.parametrize(
    ("kind", "version", "suffix"),
    [
        ("kfserving", "0.5", "-default"),
        ("kfserving", "0.5.1", "-default"),
        ("kfserving", "0.6", "-default"),
        ("kfserving", "0.6.99", "-default"),
        ("kserve", "0.7", "-default"),
        ("kserve", "0.7.0", "-default"),
        ("kserve", "0.8", "-default"),
        ("kserve", "0.9", "-default"),
        ("kserve", "0.10", "-default"),
        ("kserve", "0.10.9", "-default"),
        ("kserve", "0.11", ""),
        ("kserve", "0.11.0", ""),
        ("kserve", "0.15.2", ""),
        ("kserve", "0.16", ""),
        ("kserve", "0.100", ""),
        ("kserve", "1.0", ""),
    ],
)
def test_the_name_of_a_service_by_release(kind: str, version: str, suffix: str) -> None:
    for mode in ("Knative", "Standard"):
        platform = Platform(kind, version, mode)
        assert release_problem(platform) is None
        assert service_name(inference(), platform) == f"flowers-predictor{suffix}"
        transformed = inference(transformer={"containers": []})
        assert service_name(transformed, platform) == f"flowers-transformer{suffix}"
        assert service_name(inference(service="mine"), platform) == "mine"
        assert api_version(platform) == (KUBEFLOW if kind == "kfserving" else SERVING)


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("kfserving", "0.4"),
        ("kfserving", "0.4.9"),
        ("kfserving", "0.0"),
        ("kfserving", "0.7"),
        ("kfserving", "0.11.2"),
        ("kfserving", "1.0"),
        ("kserve", "0.6"),
        ("kserve", "0.6.99"),
        ("kserve", "0.1"),
    ],
)
def test_releases_that_are_not_supported(kind: str, version: str) -> None:
    assert release_problem(Platform(kind, version, "Knative")) is not None


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("0.16", (0, 16)),
        ("0.10.2", (0, 10)),
        ("01.02", (1, 2)),
        ("0." + "9" * 5000, (0, 999999999)),
    ],
)
def test_a_release_is_two_numbers(version: str, numbers: tuple[int, int]) -> None:
    assert release(version) == numbers


def environment(platform: Platform | None = None, domain: str = "cluster.local") -> Environment:
    return Environment("networking.istio.io/v1", platform, domain, "gateway.knative.local", 8080)


def version(
    inference_service: InferenceService | None = None, service: Service | None = None
) -> Version:
    return Version(
        VersionName("v"), inference_service, service, NO_HEADERS, NO_HEADERS, rewrite=None
    )


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (
            Platform("kfserving", "0.6", "Knative"),
            Address(
                "flowers-predictor-default.ns.svc.my.domain",
                80,
                authority="flowers-predictor-default.ns",
            ),
        ),
        (
            Platform("kserve", "0.16", "Knative"),
            Address("gateway.knative.local", 8080, authority="flowers-predictor.ns.svc.my.domain"),
        ),
        (
            Platform("kserve", "0.10", "Knative"),
            Address(
                "gateway.knative.local",
                8080,
                authority="flowers-predictor-default.ns.svc.my.domain",
            ),
        ),
        (
            Platform("kserve", "0.16", "Standard"),
            Address("flowers-predictor.ns.svc.my.domain", 80),
        ),
        (
            Platform("kserve", "0.10", "Standard"),
            Address("flowers-predictor-default.ns.svc.my.domain", 80),
        ),
    ],
)
def test_an_inference_service_is_addressed(platform: Platform, expected: Address) -> None:
    found = address(version(inference()), environment(platform, "my.domain"), "elsewhere")
    assert found == expected


@pytest.mark.parametrize(
    ("host", "port", "subset", "expected"),
    [
        ("app", 80, None, Address("app.shop.svc.my.domain", 80)),
        ("App", None, "v2", Address("app.shop.svc.my.domain", None, "v2")),
        ("app.other", 80, None, Address("app.other", 80)),
        ("App.Other.svc.cluster.local", 1, "s", Address("app.other.svc.cluster.local", 1, "s")),
    ],
)
def test_a_service_is_addressed(
    host: str, port: int | None, subset: str | None, expected: Address
) -> None:
    service = Service(host, port, subset, {}, None)
    found = address(version(service=service), environment(domain="my.domain"), "shop")
    assert found == expected


def test_without_a_backend_or_a_platform_there_is_no_address() -> None:
    with pytest.raises(ValueError, match="no backend"):
        address(version(), environment(), "shop")
    with pytest.raises(ValueError, match="needs a platform"):
        address(version(inference()), environment(), "shop")
