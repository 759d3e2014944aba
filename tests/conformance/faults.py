"""Faults of VirtualServices, one at a time, and who refuses each: the table in faults.txt.

The answers are those of kube-apiserver 1.37, istiod of August 2026 and Envoy 1.40; the tests
ask the running ones.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("faults.txt")
# Who refuses: kubectl, which cannot read it; the API server, by Istio's schema; Istio, by its
# webhook; Envoy, which then keeps the old routes of all hosts.
KUBECTL, API, ISTIO, ENVOY = "kubectl", "api", "istio", "envoy"
# A null: `kubectl apply` has the API server drop it, with `--server-side` it is refused. What
# is left is taken, or refused by Istio.
DROPPED, DROPPED_REFUSED = "dropped", "dropped-refused"
# All take it. HARM does harm all the same, or looks like what does.
FINE, HARM = "fine", "harm"

# The places where we do not look, in the words of docs/virtualservices.md.
BLIND = {"metadata": "`metadata`", "instead": "`tcp` and `tls`", "beside": "`tcp` and `tls`"}

HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: @@, namespace: default}
"""
ROUTE = "route: [{destination: {host: a.b.svc.cluster.local}}]"
RULES = f"[{{{ROUTE}}}]"


class Fault(NamedTuple):
    """A VirtualService, what becomes of it, and the codes of our errors."""

    about: str
    text: str
    fate: str
    codes: str

    @property
    def place(self) -> str:
        """Where in the VirtualService the fault is: a function below."""
        return self.about.split()[0]

    def named(self, name: str) -> str:
        """Return the text, as a VirtualService of that name."""
        return self.text.replace("@@", name)


def spec(
    http: str = RULES,
    hosts: str = "[a.example]",
    gateways: str = "[istio-system/public]",
    more: str = "",
) -> str:
    """Return a VirtualService; a part that is empty is left out."""
    parts = {"hosts": hosts, "gateways": gateways, "http": http}
    lines = [f"  {name}: {text}\n" for name, text in parts.items() if text]
    return f"{HEAD}spec:\n{f'  {more}' + chr(10) if more else ''}{''.join(lines)}"


def rule(text: str) -> str:
    return spec(f"[{{{text}}}]")


def routed(text: str) -> str:
    return rule(f"{ROUTE}, {text}")


def match(text: str) -> str:
    return spec(f"[{{match: [{text}], {ROUTE}}}, {{{ROUTE}}}]")


def matches(text: str) -> str:
    return rule(f"match: {text}, {ROUTE}")


def key(text: str) -> str:
    return match(f"{{headers: {{{text}: {{prefix: '1'}}}}}}")


def without_key(text: str) -> str:
    return match(f"{{withoutHeaders: {{{text}: {{prefix: '1'}}}}}}")


def header(text: str) -> str:
    return match(f"{{headers: {{userhash: {text}}}}}")


def request_set(text: str) -> str:
    return routed(f"headers: {{request: {{set: {{{text}: '1'}}}}}}")


def response_add(text: str) -> str:
    return routed(f"headers: {{response: {{add: {{{text}: '1'}}}}}}")


def request_remove(text: str) -> str:
    return routed(f"headers: {{request: {{remove: [{text}]}}}}")


def response_value(text: str) -> str:
    return routed(f"headers: {{response: {{set: {{x: {text}}}}}}}")


def host_value(text: str) -> str:
    return routed(f"headers: {{request: {{set: {{Host: {text}}}}}}}")


def timeout(text: str) -> str:
    return routed(f"timeout: {text}")


def two_weights(text: str) -> str:
    first, second = text.split(", ")
    one = f"{{destination: {{host: a.b}}, weight: {first}}}"
    return rule(f"route: [{one}, {{destination: {{host: c.d}}, weight: {second}}}]")


def route_item(text: str) -> str:
    return rule(f"route: [{text}]")


def destination(text: str) -> str:
    return route_item(f"{{destination: {text}}}")


def to_host(text: str) -> str:
    return destination(f"{{host: {text}}}")


def to_subset(text: str) -> str:
    return destination(f"{{host: a, subset: {text}}}")


def to_port(text: str) -> str:
    return destination(f"{{host: a, port: {text}}}")


def hosts(text: str) -> str:
    return spec(hosts=text)


def hosts_of_mesh(text: str) -> str:
    return spec(hosts=text, gateways="")


def gateways(text: str) -> str:
    return spec(gateways=text)


def export(text: str) -> str:
    return spec(more=f"exportTo: {text}")


def rules(text: str) -> str:
    return spec(text)


def delegate(text: str) -> str:
    return spec(text, hosts="", gateways="")


def beside(text: str) -> str:
    return spec(more=text)


def instead(text: str) -> str:
    return spec("", more=text)


def whole(text: str) -> str:
    return HEAD + text.replace("|", "\n") + "\n"


def metadata(text: str) -> str:
    return spec().replace("{name: @@,", f"{{name: @@, {text},")


PLACES: tuple[Callable[[str], str], ...] = (
    rule,
    routed,
    match,
    matches,
    key,
    without_key,
    header,
    request_set,
    response_add,
    request_remove,
    response_value,
    host_value,
    timeout,
    two_weights,
    route_item,
    destination,
    to_host,
    to_subset,
    to_port,
    hosts,
    hosts_of_mesh,
    gateways,
    export,
    rules,
    delegate,
    beside,
    instead,
    whole,
    metadata,
)


def faults() -> Iterator[Fault]:
    """Read faults.txt: a place, what becomes of it, our codes, and the text that is put there."""
    places = {make.__name__: make for make in PLACES}
    for line in FILE.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, short = line.partition(" |")
        place, fate, *codes = head.split()
        short = short[1:]
        text = re.sub(r"<(.)\*(\d+)>", lambda found: found[1] * int(found[2]), short)
        yield Fault(f"{place} {short}", places[place](text), fate, " ".join(codes))


FAULTS = list(faults())
