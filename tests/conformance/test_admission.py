"""Random VirtualServices, mutated: `validate` says error where the API server or Istio refuses.

What both take and we have no error for, Envoy takes too. The seed is printed; PINROUTE_SEED
repeats a run, PINROUTE_OBJECTS sets how many VirtualServices there are.
"""

import copy
import os
import random
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from pinroute.checks.registry import check_virtual_services
from pinroute.diagnostics import Diagnostic, Severity
from pinroute.istio.definition import Schema, spec_schema
from pinroute.spec.parse import parse
from servers.admission import TAKEN, verdicts
from servers.envoy import refused

if TYPE_CHECKING:
    from servers.cluster import Cluster

SEED = int(os.environ.get("PINROUTE_SEED") or random.SystemRandom().randrange(1_000_000))
OBJECTS = int(os.environ.get("PINROUTE_OBJECTS") or 800)
# Errors about what API server and Istio take: Envoy refuses it, or it does harm.
BEYOND = {
    "PIN303": "",
    "PIN304": "",
    "PIN306": "",
    "PIN308": "never matches|RE2 refuses|program has size",
    "PIN313": "is no DNS label|it is overlooked",
    "PIN314": "Envoy|is no code for a redirect|^rule .*: 600 is no status|exclude each other|','",
    "PIN315": "292 years",
}
TEXTS = """
    a A a.b A.B a_b a.b. 1.2.3.4 * *.a *a a..b -a a:80 http://a ::1 x/y ./x X/y x/y/z mesh . ~
    default 5s 0s 1ms 1.5ms 5 -5s 1m30s GET get FOO 5xx 503 5xx,503 http https ftp / /a (?=1) ( .* [01]+
    %FOO% %REQ(x)% 100% %% %HOSTNAME% Host :authority :path content-length x-a
    FROM_PROTOCOL_DEFAULT IGNORE NOT_FOUND 101 y null
""".split()
VALUES: list[Any] = [*TEXTS, "", " ", "a b", "a\nb", "é", "x" * 64, "a" * 1025]
VALUES += [0, 1, -1, 80, 99, 200, 308, 500, 600, 601, 65536, 2**31, 2**32, 0.5, 101.0]
VALUES += [True, False, None, [], {}, [None], ["a"], {"a": "b"}, {"exact": ""}, {"prefix": "1"}]
SERVICES = """
hosts: [a.example, "*.b.example"]
gateways: [istio-system/public]
exportTo: [.]
http:
- name: one
  match:
  - headers: {userhash: {prefix: "1"}, x-b: {regex: "[01]+"}}
    withoutHeaders: {x-c: {exact: ""}}
    uri: {prefix: /a}
    queryParams: {q: {exact: "1"}}
    method: {exact: GET}
    port: 80
    sourceLabels: {app: web}
    sourceNamespace: default
    gateways: [istio-system/public]
    ignoreUriCase: true
    statPrefix: one
  - {authority: {prefix: a}, scheme: {exact: http}}
  route:
  - destination: {host: a.b.svc.cluster.local, subset: v1, port: {number: 80}}
    weight: 60
    headers: {request: {set: {Host: a.b}, remove: [x-d]}, response: {add: {x-e: "%REQ(x)%"}}}
  - {destination: {host: c.d.svc.cluster.local}, weight: 40}
  timeout: 5s
  retries: {attempts: 2, perTryTimeout: 1s, retryOn: "5xx,503", backoff: 25ms}
  rewrite: {uri: /b}
  fault: {delay: {fixedDelay: 1s, percentage: {value: 1}}, abort: {httpStatus: 500}}
  mirror: {host: m.b.svc.cluster.local}
  mirrorPercentage: {value: 5}
  corsPolicy:
    allowOrigins: [{exact: a}]
    allowMethods: [GET]
    allowHeaders: [x-a]
    maxAge: 60s
    allowCredentials: true
- name: two
  match: [{uri: {prefix: /old}}]
  redirect: {uri: /new, redirectCode: 308}
- {match: [{uri: {exact: /health}}], directResponse: {status: 200, body: {string: ok}}}
- headers: {response: {set: {version: v1}}}
  mirrors: [{destination: {host: m.b.svc.cluster.local}, percentage: {value: 1}}]
  route: [{destination: {host: a.b.svc.cluster.local}}]
---
hosts: [reviews.default.svc.cluster.local]
http:
- match: [{headers: {end-user: {exact: jason}}}]
  route: [{destination: {host: reviews, subset: v2}}]
  rewrite: {uriRegexRewrite: {match: "^/a", rewrite: /b}, authority: a.b}
- route: [{destination: {host: reviews, subset: v1}}]
---
hosts: [a.example]
gateways: [istio-system/public, mesh]
http:
- {match: [{uri: {prefix: /api}}], delegate: {name: api, namespace: default}}
- route: [{destination: {host: a}, weight: 1}, {destination: {host: b}, weight: 0}]
---
http:
- {match: [{uri: {prefix: /api/x}}], route: [{destination: {host: a}}]}
"""
BASES: list[dict[str, Any]] = list(yaml.safe_load_all(SERVICES))


class Case(NamedTuple):
    """A VirtualService, what the API server or Istio says, and our errors."""

    text: str
    taken: bool
    errors: list[Diagnostic]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key or index) in a value."""
    steps = node.items() if isinstance(node, dict) else enumerate(node)
    for step, inner in list(steps):
        yield node, step
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _fields(schema: Schema) -> Iterator[str]:
    yield from schema.get("properties", ())
    for inner in (
        *schema.get("properties", {}).values(),
        schema.get("items"),
        schema.get("values"),
    ):
        if inner is not None:
            yield from _fields(inner)


FIELDS = [*sorted(set(_fields(spec_schema())) - {"tcp", "tls"}), "stat_prefix", "timeouts"]


def _mutated(chance: random.Random) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(chance.choice(BASES))
    for _ in range(chance.choice([0, 1, 1, 1, 1, 2, 2, 3])):
        places = list(_places(spec))
        if not places:
            break
        container, step = chance.choice(places)
        found = copy.deepcopy(chance.choice(VALUES))
        what = chance.random()
        if what < 0.45:
            container[step] = found
        elif what < 0.65:
            del container[step]
        elif what < 0.75 and isinstance(container, list):
            container.append(copy.deepcopy(container[step]) if chance.random() < 0.5 else found)
        elif isinstance(container, dict):
            container[chance.choice([*FIELDS, *TEXTS])] = found
        else:
            container[step] = {chance.choice(FIELDS): found}
    return spec


@pytest.fixture(scope="module")
def cases(cluster: "Cluster") -> list[Case]:
    print(f"\nadmission: {OBJECTS} VirtualServices, PINROUTE_SEED={SEED}")
    chance = random.Random(SEED)
    texts = {}
    for number in range(OBJECTS):
        name = f"mutant-{number:05}"
        service = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": name, "namespace": "default"},
            "spec": _mutated(chance),
        }
        texts[name] = yaml.safe_dump(service, allow_unicode=True, sort_keys=False)
    client = verdicts(cluster, texts, server_side=False)
    server = verdicts(cluster, texts, server_side=True)
    found = []
    for name, text in texts.items():
        documents, broken = parse("vs.yaml", text)
        assert not broken, (SEED, text)
        errors = [
            finding
            for finding in check_virtual_services(documents)
            if finding.severity is Severity.ERROR
        ]
        found.append(Case(text, client[name] == server[name] == TAKEN, errors))
    return found


def test_both_kinds_are_there(cases: list[Case]) -> None:
    """Otherwise the tests below say nothing."""
    taken = sum(case.taken for case in cases)
    assert len(cases) / 5 < taken < len(cases) * 4 / 5


def test_what_is_refused_we_refuse(cases: list[Case]) -> None:
    missed = [case.text for case in cases if not case.taken and not case.errors]
    assert not missed, (SEED, len(missed), "\n---\n".join(missed[:5]))


def test_what_is_taken_we_take_or_say_why_not(cases: list[Case]) -> None:
    wrong = [
        (error.code, error.message, case.text)
        for case in cases
        if case.taken
        for error in case.errors
        if error.code not in BEYOND or re.search(BEYOND[error.code], error.message) is None
    ]
    assert not wrong, (SEED, len(wrong), wrong[:5])


def test_what_we_take_envoy_takes(cases: list[Case], istiod: Any) -> None:
    gateway = yaml.safe_dump(istiod.gateway)
    routes = {
        case.text: istiod.routes_of_text(f"{gateway}---\n{case.text}")
        for case in cases
        if case.taken and not case.errors
    }
    assert sum(1 for found in routes.values() if found) > len(cases) / 20
    named = {f"mutant-{number}": found for number, found in enumerate(routes.values())}
    texts = list(routes)
    assert [texts[int(name.removeprefix("mutant-"))] for name in refused(named)] == [], SEED
