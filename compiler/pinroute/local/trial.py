"""A trial: the compiled manifests in a real Envoy, every kind of user sent through it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from pinroute.compilation import Compiled
from pinroute.istio.envoy import clusters, route_configuration
from pinroute.local.backend import Backends
from pinroute.local.bootstrap import Listener
from pinroute.local.client import Client, Request, Response
from pinroute.local.jwt import JwtProvider, token
from pinroute.local.server import Gateway, running
from pinroute.manifest.dump import dump
from pinroute.probes.everybody import probes
from pinroute.probes.probe import Expected, Probe
from pinroute.spec.model import HashSource

ISSUER = JwtProvider(
    "pinroute-try", b"a secret that guards nothing: it lives as long as the trial"
)


@dataclass(frozen=True, slots=True)
class Observation:
    """A request, what it had to meet, and what it met."""

    probe: Probe
    seen: Expected

    @property
    def right(self) -> bool:
        """Whether the request met what it had to meet."""
        return self.seen == self.probe.expected._replace(label="")


@contextmanager
def gateway_for(experiments: Mapping[str, Compiled], *, joined: bool = False) -> Iterator[Gateway]:
    """Start one Envoy with a listener for each experiment, and a backend for each destination.

    The routes are read back from the bytes that the compiler writes.
    """
    listeners: list[Listener] = []
    names: dict[str, None] = {}
    for name, compiled in experiments.items():
        manifest: Any = yaml.safe_load(dump(compiled.rendered[0].virtual_service))
        # A delegate's hosts are those of its root.
        manifest["spec"].setdefault("hosts", list(compiled.checked.spec.experiment.route.hosts))
        configuration = route_configuration([manifest])
        names.update(dict.fromkeys(clusters(configuration)))
        listeners.append(Listener(name, configuration, ISSUER if _claims(compiled) else None))
    with Backends(list(names)) as backends:
        endpoints = {name: backends.endpoint(name) for name in names}
        with running(listeners, endpoints, joined=joined) as gateway:
            yield gateway


def _claims(compiled: Compiled) -> bool:
    return compiled.checked.spec.experiment.user_hash.source.kind == "claim"


def observe(
    compiled: Compiled, port: int, users: Sequence[str], *, joined: bool = False
) -> list[Observation]:
    """Send every probe of an experiment to a listener and note what it met."""
    return send(compiled, port, list(probes(compiled, users, joined=joined)))


def send(compiled: Compiled, port: int, asked: Sequence[Probe]) -> list[Observation]:
    """Send requests to a listener and note what they met."""
    experiment = compiled.checked.spec.experiment
    source, header = experiment.user_hash.source, experiment.output.version_header
    with Client(port) as client:
        answers = client.send([_request(probe, source) for probe in asked])
    return [
        Observation(probe, _seen(answer, header))
        for probe, answer in zip(asked, answers, strict=True)
    ]


def _request(probe: Probe, source: HashSource) -> Request:
    wanted = probe.request
    headers = list(wanted.headers.items())
    if source.kind == "header":
        name = source.name.upper() if probe.upper else source.name
        headers += [(name, value) for value in probe.values]
    elif probe.values:
        claims: dict[str, object] = {}
        inner = claims
        *parents, last = source.name.split(".")
        for parent in parents:
            deeper: dict[str, object] = {}
            inner[parent] = deeper
            inner = deeper
        inner[last] = probe.values[0]
        headers.append(("authorization", f"Bearer {token(ISSUER, claims)}"))
    return Request(wanted.host, wanted.path, wanted.method, tuple(headers))


def _seen(answer: Response, header: str) -> Expected:
    """Return what was met: a backend that echoes the request, or an answer of Envoy's own."""
    try:
        echo = json.loads(answer.body)
    except ValueError:
        echo = None
    if answer.status != 200 or not isinstance(echo, dict) or "backend" not in echo:
        return Expected("", f"status {answer.status}", "", None)
    version = answer.headers.get(header.lower()) if header else None
    return Expected("", str(echo["backend"]), str(echo["host"]), version[-1] if version else None)
