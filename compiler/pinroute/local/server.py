"""One Envoy process with any number of listeners, for as long as a context is open."""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast
from urllib.parse import quote

from pinroute.local.binary import EnvoyError, EnvoyFailed, envoy_binary
from pinroute.local.bootstrap import Listener, bootstrap
from pinroute.local.client import Client, Request

if TYPE_CHECKING:
    from pinroute.local.backend import Endpoint

__all__ = ["EnvoyRefused", "Gateway", "Listener", "running"]

_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.01
_REFUSAL = re.compile(r"^critical\|error `(.*?)` initializing config '", re.DOTALL | re.MULTILINE)


class EnvoyRefused(EnvoyError):
    """Envoy does not take the configuration; the message is Envoy's own reason."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running Envoy: `admin` is the port of its admin interface, `ports` those of its listeners."""

    admin: int
    ports: Mapping[str, int]

    def port(self, name: str) -> int:
        """Return the port of the listener; KeyError if there is none of that name."""
        return self.ports[name]

    def scrape(self, pattern: str) -> str:
        """Return what Prometheus scrapes of statistics whose names contain a match of the pattern."""
        path = f"/stats/prometheus?filter={quote(pattern, safe='')}"
        return _admin(self.admin, path).decode()

    def stats(self, pattern: str) -> dict[str, int]:
        """Return the counters and gauges whose names contain a match of the RE2 pattern."""
        body = _admin(self.admin, f"/stats?format=json&filter={quote(pattern, safe='')}")
        found = cast("_Stats", json.loads(body))["stats"]
        return {stat["name"]: stat["value"] for stat in found if "value" in stat}


@contextmanager
def running(
    listeners: Sequence[Listener],
    clusters: Mapping[str, "Endpoint"],
    *,
    joined: bool = False,
    stats_config: Mapping[str, object] | None = None,
    timeout: float = 20.0,
) -> Iterator[Gateway]:
    """Start Envoy (one worker), wait until every listener answers, and stop it at the end.

    `clusters` maps names as routes use them (`outbound|80||host`) to where they lead.
    `joined` matches the values of a repeated header as one, joined with commas (`a,b`),
    instead of each by itself; Envoy before 1.39 always does. `stats_config` is Envoy's own.
    Raise EnvoyMissing, EnvoyRefused, or, if Envoy does not run or is not ready within
    `timeout` seconds, EnvoyFailed.
    """
    names = [listener.name for listener in listeners]
    if len(set(names)) < len(names):
        raise ValueError(f"listeners need different names: {', '.join(names)}")
    binary = envoy_binary()
    with tempfile.TemporaryDirectory(prefix="pinroute-") as temporary:
        folder = Path(temporary)
        configuration = bootstrap(listeners, clusters, joined=joined, stats_config=stats_config)
        (folder / "envoy.json").write_text(json.dumps(configuration), encoding="utf-8")
        with _process(binary, folder) as process:
            yield _ready(process, folder, frozenset(names), timeout)


@contextmanager
def _process(binary: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        *(str(binary), "--config-path", "envoy.json", "--admin-address-path", "admin"),
        *("--concurrency", "1", "--disable-hot-restart"),
        *("--log-level", "error", "--log-format", "%l|%v"),
    ]
    with (folder / "log").open("wb") as log:
        try:
            # In our process group, so that whoever kills that leaves no Envoy behind.
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        except OSError as error:
            raise EnvoyFailed(f"{binary} cannot be run: {error}") from error
        try:
            yield process
        finally:
            try:
                process.terminate()
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            finally:
                process.kill()
                process.wait()


def _ready(
    process: subprocess.Popen[bytes], folder: Path, names: frozenset[str], timeout: float
) -> Gateway:
    deadline = time.monotonic() + timeout
    while process.poll() is None:
        gateway = _gateway(folder / "admin", names)
        if gateway is not None:
            return gateway
        if time.monotonic() > deadline:
            raise EnvoyFailed(f"Envoy was not ready within {timeout:g} s: {_said(folder)}")
        time.sleep(_POLL_SECONDS)
    said = _said(folder)
    refusal = _REFUSAL.search(said)
    if refusal is not None:
        raise EnvoyRefused(_reason(refusal[1]))
    raise EnvoyFailed(f"Envoy ended with code {process.returncode} before it was ready: {said}")


def _gateway(address: Path, names: frozenset[str]) -> Gateway | None:
    """Return the gateway, or None as long as it is not live with all its listeners."""
    try:
        admin = int(address.read_text(encoding="ascii").rpartition(":")[2])
        if _admin(admin, "/ready").strip() != b"LIVE":
            return None
        body = _admin(admin, "/listeners?format=json")
    except (OSError, ValueError):
        return None
    ports = {
        listener["name"]: listener["local_address"]["socket_address"]["port_value"]
        for listener in cast("_Listeners", json.loads(body)).get("listener_statuses", [])
    }
    return Gateway(admin, ports) if names == ports.keys() else None


def _admin(port: int, path: str) -> bytes:
    with Client(port) as client:
        return client.send([Request("localhost", path)])[0].body


def _said(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8", errors="replace").strip() or "no message"


def _reason(message: str) -> str:
    # Envoy prefixes some reasons with a dump of the message that they are about.
    _, dumped, reason = message.rpartition("\n: ")
    lines = (reason if dumped else message).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


class _SocketAddress(TypedDict):
    port_value: int


class _Address(TypedDict):
    socket_address: _SocketAddress


class _ListenerStatus(TypedDict):
    name: str
    local_address: _Address


class _Listeners(TypedDict, total=False):
    listener_statuses: list[_ListenerStatus]


class _Stat(TypedDict):
    name: str
    value: NotRequired[int]  # the entry for all histograms has neither


class _Stats(TypedDict):
    stats: list[_Stat]
