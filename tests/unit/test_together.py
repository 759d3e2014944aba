"""What checks say of several VirtualServices together."""

from collections.abc import Iterable

import pytest

from pinroute.checks.registry import check_virtual_services
from pinroute.compilation import Source, compile_specs
from pinroute.spec.parse import parse

SPLIT = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME, namespace: shop}
spec:
  hosts: [HOST]
  gateways: [GATEWAY]
  exportTo: [EXPORT]
  http:
  - match: [{headers: {userhash: {prefix: "1"}}}]
    route: [{destination: {host: a}}]
  - match: [{headers: {userhash: {prefix: "0"}}}]
    route: [{destination: {host: b}}]
  - route: [{destination: {host: a}}]
"""


def service(name: str, host: str, gateway: str = "istio-system/gw", export: str = '"*"') -> str:
    text = SPLIT.replace("NAME", name).replace("HOST", host)
    return text.replace("GATEWAY", gateway).replace("EXPORT", export)


def codes(texts: Iterable[str], *, complete: bool = False) -> list[str]:
    documents, broken = parse("vs.yaml", "---\n".join(texts))
    assert not broken
    return sorted(item.code for item in check_virtual_services(documents, complete=complete))


def test_a_forgeable_header_is_told_once_a_gateway() -> None:
    texts = [service("a", "a.com"), service("b", "b.com"), service("c", "c.com", "x/other")]
    assert codes(texts).count("PIN328") == 2


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([service("a", "a.com"), service("b", "A.com")], ["PIN317"]),
        ([service("a", "a.com"), service("b", "b.com")], []),
        ([service("a", "a.com"), service("b", "a.com", "x/other")], []),
        ([service("a", "a.com", "mesh"), service("b", "a.com", "mesh")], ["PIN318"]),
        (
            [service("a", "a", "mesh"), service("b", "a.shop.svc.cluster.local", "mesh")],
            ["PIN318"],
        ),
        ([service("a", "a", "mesh"), service("b", "a", "mesh", "web")], []),
        (
            [service("a", "a", "mesh", "web"), service("b", "a", "mesh", "web")],
            ["PIN318"],
        ),
        ([service("a", "a.com", export="web")], ["PIN324"]),
    ],
)
def test_hosts_that_are_claimed_twice(texts: list[str], found: list[str]) -> None:
    assert [code for code in codes(texts) if code != "PIN328"] == found


def test_what_is_not_among_all_files_is_missing() -> None:
    assert "PIN322" not in codes([service("a", "a.com")])
    missing = codes([service("a", "a.com")], complete=True)
    assert missing.count("PIN322") == 1 + 3  # the gateway, and three destinations


def test_a_spec_claims_its_hosts_too() -> None:
    spec = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp, namespace: shop}
spec:
  route: {hosts: [a.com], gateways: [istio-system/gw]}
  userHash: {from: {header: userhash}}
  versions:
  - {name: v1, service: {host: one, port: 80}}
  - {name: v2, service: {host: two, port: 80}}
  baseline: v1
  groups: [{name: g, version: v2, prefixes: ["11"]}]
"""
    for name, claimed in (("other", True), ("exp", False)):
        sources = [Source("s.yaml", f"{spec}---\n{service(name, 'a.com')}".encode())]
        found = compile_specs(sources, check_others=check_virtual_services).diagnostics
        assert ("PIN317" in {item.code for item in found}) is claimed, found
