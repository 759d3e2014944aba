"""Sets of VirtualServices: hosts that several claim, delegates, exportTo, wildcards, the mesh.

istiod joins them, a real Envoy answers by the routes that it makes, and our reading says
which route that is. The seed is printed; PINROUTE_SEED repeats a run, PINROUTE_SETS sets
how many sets there are.
"""

import os
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import yaml

from pinroute.istio.evaluate import Call
from pinroute.istio.resource import virtual_service
from pinroute.istio.virtualhost import Place, VirtualHost, route_of, virtual_hosts
from pinroute.local.client import Client, Request
from pinroute.local.server import Listener, running

SEED = int(os.environ.get("PINROUTE_SEED") or random.SystemRandom().randrange(1_000_000))
SETS = int(os.environ.get("PINROUTE_SETS") or 600)
BATCH = 100
PODS = "istio-system"
GATEWAY = "istio-system/public"
AT_GATEWAY = Place(GATEWAY, PODS, labels={"istio": "ingressgateway"})
AT_SIDECAR = Place("mesh", PODS, labels={"app": "client"})
VALUES = (None, "", "0", "1", "00", "01", "10", "11", "000", "010", "101", "111", "1x", "x")


class Set(NamedTuple):
    """VirtualServices that belong together, and the hosts to ask for."""

    services: list[dict[str, Any]]
    hosts: tuple[str, ...]


class Generator:
    """Makes sets whose members get in each other's way."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def one(self, number: int) -> Set:
        domains = [f"h{number}.example", f"a.w{number}.example", f"*.w{number}.example"]
        services = [
            self.service(f"s{number}-{index}", domains)
            for index in range(self.random.randint(2, 5))
        ]
        delegates = [self.delegate(f"d{number}-{index}") for index in range(3)]
        for service in services:
            for rule in service["spec"]["http"]:
                if self.random.random() < 0.35:
                    rule.pop("directResponse")
                    rule["delegate"] = self.named(self.random.choice(delegates), service)
        self.random.shuffle(services)
        asked = (f"h{number}.example", f"A.W{number}.example", f"b.w{number}.example")
        return Set([*services, *delegates], asked)

    def named(self, delegate: dict[str, Any], root: dict[str, Any]) -> dict[str, str]:
        metadata = delegate["metadata"]
        if self.random.random() < 0.05:
            return {"name": "nobody"}
        if metadata["namespace"] == root["metadata"]["namespace"] and self.random.random() < 0.5:
            return {"name": metadata["name"]}
        return {"name": metadata["name"], "namespace": metadata["namespace"]}

    def resource(self, name: str) -> dict[str, Any]:
        pick = self.random.choice
        metadata = {
            "name": name,
            "namespace": pick([PODS, "default", "client", "other"]),
            "creationTimestamp": f"2026-01-01T00:00:0{self.random.randint(0, 3)}Z",
        }
        spec: dict[str, Any] = {}
        exports = pick([None, None, None, ["*"], ["."], [PODS], ["client"], [PODS, "client"]])
        if exports is not None:
            spec["exportTo"] = exports
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": metadata,
            "spec": spec,
        }

    def service(self, name: str, domains: list[str]) -> dict[str, Any]:
        service = self.resource(name)
        pick, spec = self.random.choice, service["spec"]
        count = pick([1, 1, 2])
        spec["hosts"] = self.random.sample(domains[:2] if count > 1 else domains, count)
        spec["gateways"] = pick(
            [[GATEWAY]] * 3 + [[GATEWAY, "mesh"]] * 2 + [["mesh"], ["other/gw"]]
        )
        if spec["gateways"] == [GATEWAY] and self.random.random() < 0.2:
            spec["hosts"] = [host.upper() for host in spec["hosts"]]
        rules = [self.rule(f"{name}-r{index}") for index in range(self.random.randint(1, 3))]
        if self.random.random() < 0.5:
            rules.append(self.answer(f"{name}-all"))
        spec["http"] = rules
        return service

    def delegate(self, name: str) -> dict[str, Any]:
        delegate = self.resource(name)
        delegate["spec"]["http"] = [
            self.rule(f"{name}-r{index}") for index in range(self.random.randint(1, 3))
        ]
        return delegate

    def answer(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "directResponse": {"status": 200},
            "headers": {"response": {"set": {"x-route": "%ROUTE_NAME%"}}},
        }

    def rule(self, name: str) -> dict[str, Any]:
        rule = self.answer(name)
        count = self.random.choice([0, 1, 1, 2])
        if count:
            rule["match"] = [self.match(f"m{index}") for index in range(count)]
        return rule

    def match(self, name: str) -> dict[str, Any]:
        match: dict[str, Any] = {"name": name}
        chance, pick = self.random.random, self.random.choice
        if chance() < 0.6:
            match["headers"] = {pick(["userhash"] * 4 + ["UserHash"]): self.string()}
        if chance() < 0.2:
            match["withoutHeaders"] = {"userhash": self.string()}
        if chance() < 0.4:
            match["uri"] = pick(
                [
                    {"prefix": "/"},
                    {"prefix": "/a"},
                    {"prefix": "/a/b"},
                    {"exact": "/a"},
                    {"regex": "/a.*"},
                    {"regex": ".*"},
                ]
            )
        if chance() < 0.08:
            match["ignoreUriCase"] = True
        if chance() < 0.12:
            match["method"] = pick([{"exact": "GET"}, {"prefix": "P"}])
        if chance() < 0.08:
            match["port"] = pick([80, 9999])
        if chance() < 0.12:
            match["gateways"] = pick([[GATEWAY], ["mesh"], [GATEWAY, "mesh"]])
        if chance() < 0.08:
            match["sourceLabels"] = pick([{"app": "client"}, {"istio": "ingressgateway"}])
        if chance() < 0.08:
            match["sourceNamespace"] = pick([PODS, "client"])
        return match

    def string(self) -> dict[str, str]:
        bits = "".join(self.random.choices("01", k=self.random.randint(1, 3)))
        return self.random.choice(
            [{"prefix": bits}] * 4 + [{"exact": bits}, {"exact": ""}, {"regex": f"{bits}.*"}, {}]
        )

    def calls(self, hosts: tuple[str, ...], place: Place) -> Iterator[Call]:
        for host in hosts:
            for value in VALUES:
                yield Call(
                    host,
                    self.random.choice(["/", "/", "/a", "/a/b/c", "/A", "/x"]),
                    self.random.choice(["GET", "GET", "POST"]),
                    headers={} if value is None else {"userhash": (value,)},
                    gateway=place.gateway,
                    namespace=place.namespace,
                    labels=place.labels,
                )


class Case(NamedTuple):
    """A set, our virtual hosts of it at a place, and istiod's."""

    made: Set
    ours: Mapping[str, VirtualHost]
    theirs: list[dict[str, Any]]


def _known(made: Set) -> list[dict[str, Any]]:
    """Return ServiceEntries for the hosts: sidecars have routes for ports in use only."""
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": {"name": "known", "namespace": "default"},
            "spec": {
                "hosts": [host.lower() for host in made.hosts[:2]],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "resolution": "NONE",
            },
        }
    ]


def _case(istiod: Any, made: Set, place: Place) -> Case:
    kind = "sidecar" if place.gateway == "mesh" else "router"
    found = istiod.routes([*_known(made), *made.services], kind)
    theirs = [
        host
        for configuration in found
        if configuration["name"] in ("http.80", "80")
        for host in configuration.get("virtualHosts", ())
        if any(
            made.hosts[0] in domain or f"{made.hosts[0][1:]}" in domain for domain in _own(host)
        )
    ]
    services = [virtual_service(number, item) for number, item in enumerate(made.services)]
    here = place._replace(known=tuple(host.lower() for host in made.hosts[:2]))
    return Case(made, virtual_hosts(services, here, "userhash"), theirs)


def _own(host: Mapping[str, Any]) -> list[str]:
    return [str(domain) for domain in host["domains"]]


@pytest.mark.parametrize("place", [AT_GATEWAY, AT_SIDECAR], ids=["gateway", "sidecar"])
def test_what_several_make_together(istiod: Any, place: Place) -> None:
    print(f"\nconformance: {SETS} sets, PINROUTE_SEED={SEED}")
    generator = Generator(SEED)
    cases = [_case(istiod, generator.one(number), place) for number in range(SETS)]
    asked = hit = shared = 0
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        hosts = [host for case in batch for host in case.theirs]
        # A sidecar sends what no rule takes to the service itself, which is not there.
        configuration = {"name": "all", "virtual_hosts": hosts, "validate_clusters": False}
        with (
            running([Listener("all", configuration)], {}) as gateway,
            Client(gateway.port("all")) as client,
        ):
            for case in batch:
                shared += any(
                    len({route.service.key for route in host.routes}) > 1
                    for host in case.ours.values()
                )
                calls = list(generator.calls(case.made.hosts, place))
                answers = client.send([_request(call) for call in calls])
                for call, answer in zip(calls, answers, strict=True):
                    seen = answer.headers["x-route"][0] if answer.status == 200 else None
                    assert seen == _expected(case, call), (
                        SEED,
                        yaml.safe_dump_all(case.made.services),
                        call,
                        seen,
                        _expected(case, call),
                    )
                    asked += 1
                    hit += seen is not None
    print(f"\n{asked:,} requests, {hit:,} routed, {shared} shared hosts, 0 mismatches")
    assert hit > asked / 10
    assert place.gateway == "mesh" or shared > SETS / 10


def _expected(case: Case, call: Call) -> str | None:
    route = route_of(case.ours, call)
    if route is None:
        return None
    return ".".join(part for part in (route.rule.name, route.item.name) if part)


def _request(call: Call) -> Request:
    lines = tuple((name, value) for name, values in call.headers.items() for value in values)
    return Request(call.host, call.path, call.method, lines)
