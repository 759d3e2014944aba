"""Faults, one at a time: what Istio or Envoy refuses we refuse, what we accept both take."""

from typing import Any, NamedTuple

import pytest
import yaml

from pinroute.checks.registry import check_virtual_service
from pinroute.diagnostics import Severity
from pinroute.local.server import EnvoyRefused, Listener, running
from pinroute.spec.parse import parse

ISTIO, ENVOY, FINE = "Istio refuses", "Envoy refuses", "fine"
# Both take it, and it does harm: a 503 for each request, a leak, a null that is pruned, or
# what only the API server with its schema refuses (it does not take part here).
HARM = "taken, and harmful"


class Fault(NamedTuple):
    """A piece of `spec`, who refuses it, and the code that we give it (None: nothing to say)."""

    about: str
    spec: str
    fate: str
    code: str | None


def rule(text: str) -> str:
    return "http:\n- " + text.replace("\n", "\n  ") + "\n"


ROUTE = "route: [{destination: {host: a.b.svc.cluster.local}}]"


def match(text: str) -> str:
    return rule(f"match: [{text}]\n{ROUTE}") + f"- {ROUTE}\n"


def header(text: str) -> str:
    return match(f"{{headers: {text}}}")


def setting(side: str, text: str) -> str:
    return rule(f"{ROUTE}\nheaders: {{{side}: {{set: {text}}}}}")


FAULTS = [
    Fault("an empty prefix", header('{userhash: {prefix: ""}}'), ISTIO, "PIN308"),
    Fault("an empty regex", header('{userhash: {regex: ""}}'), ISTIO, "PIN308"),
    Fault("an empty exact", header('{userhash: {exact: ""}}'), FINE, None),
    Fault("presence", header("{userhash: {}}"), FINE, None),
    Fault("a lookahead", header('{userhash: {regex: "(?=1)"}}'), ISTIO, "PIN308"),
    Fault("a huge repeat", header('{userhash: {regex: "a{1001}"}}'), ISTIO, "PIN308"),
    Fault("nested repeats", header('{userhash: {regex: "(a{1000}){3}"}}'), ISTIO, "PIN308"),
    Fault("a long regex", header("{userhash: {regex: " + "a" * 1025 + "}}"), ISTIO, "PIN308"),
    Fault("a regex of 1024", header("{userhash: {regex: " + "a" * 1024 + "}}"), FINE, None),
    Fault("a Unicode class", header('{userhash: {regex: "\\\\p{L}+"}}'), FINE, None),
    Fault("two kinds", header('{userhash: {prefix: "1", exact: "2"}}'), HARM, "PIN308"),
    Fault("an unquoted prefix", header("{userhash: {prefix: 101}}"), ISTIO, "PIN308"),
    Fault("a blank in a match key", header('{"user hash": {prefix: "1"}}'), ISTIO, "PIN304"),
    Fault("a null header match", header("{userhash: }"), HARM, "PIN305"),
    Fault("%FOO%", setting("response", '{x: "%FOO%"}'), ENVOY, "PIN303"),
    Fault("%req(x)%", setting("request", '{x: "%req(x)%"}'), ENVOY, "PIN303"),
    Fault("a lone percent", setting("response", '{x: "100%"}'), ISTIO, "PIN303"),
    Fault("percents", setting("response", '{x: "100%%"}'), FINE, None),
    Fault("an operator", setting("response", '{x: "%REQ(userhash)%"}'), FINE, None),
    Fault("an operator without its name", setting("response", '{x: "%REQ()%"}'), ISTIO, "PIN303"),
    Fault("a line feed", setting("response", '{x: "a\\nb"}'), ISTIO, "PIN303"),
    Fault(
        "a value of 20,000", setting("response", '{x: "' + "a" * 20_000 + '"}'), ENVOY, "PIN303"
    ),
    Fault("the environment", setting("response", '{x: "%ENVIRONMENT(HOME)%"}'), HARM, "PIN306"),
    Fault("a blank in a set name", setting("request", '{"bad name": x}'), HARM, "PIN304"),
    Fault("content-length", setting("request", '{content-length: "1"}'), HARM, "PIN304"),
    Fault("Host of a response", setting("response", "{Host: a}"), ISTIO, "PIN304"),
    Fault("Host of a request", setting("request", "{Host: a.example}"), FINE, None),
    Fault("a percent in Host", setting("request", '{Host: "%FOO%"}'), FINE, None),
    Fault("a timeout of nothing", rule(f"{ROUTE}\ntimeout: 0s"), ISTIO, "PIN315"),
    Fault("a timeout of 1.5ms", rule(f"{ROUTE}\ntimeout: 1.5ms"), ISTIO, "PIN315"),
    Fault(
        "weights of 0",
        rule(
            "route:\n- {destination: {host: a.b}, weight: 0}\n- {destination: {host: c.d}, weight: 0}"
        ),
        ISTIO,
        "PIN316",
    ),
    Fault(
        "a negative weight",
        rule(
            "route:\n- {destination: {host: a.b}, weight: -1}\n- {destination: {host: c.d}, weight: 5}"
        ),
        ISTIO,
        "PIN316",
    ),
    Fault(
        "weights above 100",
        rule(
            "route:\n- {destination: {host: a.b}, weight: 90}\n- {destination: {host: c.d}, weight: 20}"
        ),
        FINE,
        None,
    ),
    Fault("no action", rule("timeout: 5s"), ISTIO, "PIN314"),
    Fault("two actions", rule(f"{ROUTE}\nredirect: {{uri: /x}}"), ISTIO, "PIN314"),
    Fault(
        "a destination with a port",
        rule('route: [{destination: {host: "a:80"}}]'),
        ISTIO,
        "PIN313",
    ),
    Fault("an address", rule("route: [{destination: {host: 1.2.3.4}}]"), ISTIO, "PIN313"),
    Fault("an unknown field", rule(f"{ROUTE}\ntimeouts: 5s"), HARM, "PIN311"),
    Fault("an unknown match field", match('{header: {userhash: {prefix: "1"}}}'), HARM, "PIN311"),
]
HOSTS = [
    Fault("a port", '["a.example:80"]', ISTIO, "PIN313"),
    Fault("an underscore", "[a_b.example]", ISTIO, "PIN313"),
    Fault("a last dot", "[a.example.]", FINE, None),
    Fault("a wildcard", '["*.example"]', FINE, None),
    Fault("everything", '["*"]', FINE, None),
    Fault("a wildcard inside", '["a.*.example"]', ISTIO, "PIN313"),
    Fault("an address", "[1.2.3.4]", FINE, None),
    Fault("upper case", "[A.Example]", FINE, None),
]
HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x, namespace: default}
spec:
  gateways: [istio-system/public]
  hosts: %s
"""


def _documents() -> list[tuple[Fault, str]]:
    found = []
    for fault in FAULTS:
        body = "".join(f"  {line}\n" for line in fault.spec.splitlines())
        found.append((fault, HEAD % "[a.example]" + body))
    for fault in HOSTS:
        body = "".join(f"  {line}\n" for line in rule(ROUTE).splitlines())
        found.append((fault, HEAD % fault.spec + body))
    return found


DOCUMENTS = _documents()


@pytest.mark.parametrize(
    ("fault", "text"), DOCUMENTS, ids=[f"{fault.about}" for fault, _ in DOCUMENTS]
)
def test_we_and_the_real_servers_agree(fault: Fault, text: str, istiod: Any) -> None:
    documents, broken = parse("vs.yaml", text)
    assert not broken
    codes = {
        finding.code
        for finding in check_virtual_service(documents[0])
        if finding.severity is Severity.ERROR
    }
    assert codes == ({fault.code} if fault.code else set())
    assert _fate(text, istiod) == (FINE if fault.fate == HARM else fault.fate)


def _fate(text: str, istiod: Any) -> str:
    gateway = yaml.safe_dump(istiod.gateway)
    try:
        found = istiod.routes_of_text(f"{gateway}---\n{text}")
    except istiod.Refused:
        return ISTIO
    hosts = [host for configuration in found for host in configuration.get("virtualHosts", ())]
    names = {
        route["route"]["cluster"]
        for host in hosts
        for route in host["routes"]
        if "cluster" in route.get("route", {})
    }
    configuration = {"name": "http.80", "virtual_hosts": hosts, "validate_clusters": False}
    assert names or hosts
    try:
        with running([Listener("one", configuration)], {}):
            return FINE
    except EnvoyRefused:
        return ENVOY
