"""After a write the gateways are asked themselves: real Envoys that follow istiod."""

import urllib.request
from collections.abc import Iterator

import pytest

from servers.cluster import Cluster
from servers.gateway import Ingress, ingress
from servers.objects import GATEWAY

from .conftest import Shop

APPLY = ("apply", "-f", "experiment.yaml")


@pytest.fixture(scope="module")
def envoys(cluster: Cluster) -> Iterator[tuple[Ingress, Ingress]]:
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=GATEWAY)
    with ingress(cluster, {}) as one, ingress(cluster, {}) as two:
        yield one, two


def admin(*asked: Ingress) -> list[str]:
    return [word for one in asked for word in ("--gateway-admin", f"http://127.0.0.1:{one.admin}")]


def routes(asked: Ingress) -> str:
    url = f"http://127.0.0.1:{asked.admin}/config_dump?resource=dynamic_route_configs"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: bytes = answer.read()
    return found.decode()


def test_apply_ends_when_every_gateway_has_the_routes(
    shop: Shop, envoys: tuple[Ingress, Ingress]
) -> None:
    for prefix in ("101", "10", "1"):
        shop.write(('"101"', f'"{prefix}"'), ('"111"', '"0"'))
        found = shop.run(*APPLY, *admin(*envoys))
        assert (found.code, found.err.splitlines()[-1]) == (0, "2 gateways have the routes")
        for one in envoys:
            assert "pin/checkout/treatment" in routes(one)
            assert f'"prefix": "{prefix}"' in routes(one)


def test_a_write_that_a_gateway_refuses_is_taken_back(
    shop: Shop, envoys: tuple[Ingress, Ingress]
) -> None:
    """A gateway with Envoy's own limit for regexes does not take what Istio's takes."""
    assert shop.run(*APPLY).code == 0
    before = shop.live()
    shop.write(("digits: 8,", "digits: 64, strict: true,"))
    with ingress(shop.cluster, {}, regex_limit=10) as strict:
        found = shop.run(*APPLY, *admin(envoys[0], strict))
        assert found.code == 3
        assert f"gateway http://127.0.0.1:{strict.admin} refuses the routes" in found.err
        assert "has its rules of before again" in found.err
        assert strict.refused_updates == 1
        after = shop.live()
        assert after["spec"] == before["spec"]
        assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
        shop.write(('"101"', '"10"'))  # the gateway is not frozen any more
        assert shop.run(*APPLY, *admin(envoys[0], strict)).code == 0


def test_a_new_route_that_is_refused_is_deleted_again(shop: Shop) -> None:
    shop.write(("digits: 8,", "digits: 64, strict: true,"))
    with ingress(shop.cluster, {}, regex_limit=10) as strict:
        found = shop.run(*APPLY, *admin(strict))
    assert found.code == 3
    assert f"VirtualService {shop.namespace}/checkout was deleted again" in found.err
    assert shop.live() is None


def test_a_gateway_that_does_not_serve_the_host_times_out(
    shop: Shop, envoys: tuple[Ingress, Ingress]
) -> None:
    shop.write(("istio-system/public", "istio-system/absent"))
    found = shop.run(*APPLY, *admin(*envoys), "--timeout", "1s")
    assert found.code == 4
    assert "after 1 s gateway http://127.0.0.1:" in found.err
    assert f"does not have the routes of VirtualService {shop.namespace}/checkout" in found.err


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("http://127.0.0.1:9", 3, "does not answer as Envoy's"),
        ("127.0.0.1:15000", 2, "is no URL such as http://127.0.0.1:15000"),
        ("ftp://127.0.0.1", 2, "is no URL"),
    ],
)
def test_nothing_is_written_if_a_gateway_cannot_be_asked(
    shop: Shop, url: str, code: int, words: str
) -> None:
    found = shop.run(*APPLY, "--gateway-admin", url)
    assert (found.code, words in found.err) == (code, True), found.err
    assert shop.live() is None
