"""Names as istiod resolves them, and the order of VirtualServices."""

import pytest

from pinroute.istio.resource import full_host, gateway_key, in_order, virtual_service
from pinroute.istio.virtualhost import covers, narrower_host


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("mesh", "mesh"),
        ("gw", "ns/gw"),
        ("other/gw", "other/gw"),
        ("./gw", "ns/gw"),
        ("gw.other", "other/gw"),
        ("gw.other.svc.cluster.local", "other/gw"),
    ],
)
def test_gateways(name: str, key: str) -> None:
    assert gateway_key(name, "ns") == key


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("reviews", "reviews.ns.svc.cluster.local"),
        ("reviews.other", "reviews.other"),
        ("*", "*"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_hosts(host: str, full: str) -> None:
    assert full_host(host, "ns") == full


def test_what_is_not_in_a_cluster_yet_is_the_youngest() -> None:
    ages = ["2026-02-01T00:00:00Z", "", "2026-01-01T00:00:00Z"]
    services = [
        virtual_service(number, {"metadata": {"name": "x", "creationTimestamp": age}})
        for number, age in enumerate(ages)
    ]
    assert [service.number for service in in_order(services)] == [2, 0, 1]


@pytest.mark.parametrize(
    ("one", "other", "narrower"),
    [
        ("*", "a.com", "a.com"),
        ("*.com", "a.com", "a.com"),
        ("a.com", "*.com", "a.com"),
        ("*.com", "*.a.com", "*.a.com"),
        ("a.com", "a.com", "a.com"),
        ("a.com", "b.com", None),
        ("*.com", "com", None),
    ],
)
def test_narrower_hosts(one: str, other: str, narrower: str | None) -> None:
    assert narrower_host(one, other) == narrower


def test_a_wildcard_stands_for_names_below_it() -> None:
    assert covers("*.com", "a.b.com")
    assert not covers("*.com", "com")
