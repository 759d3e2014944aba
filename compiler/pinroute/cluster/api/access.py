"""The way to an API server: kubeconfig files, or the service account of a pod.

Nothing here turns a check of TLS off; what a kubeconfig turns off is told.
"""

import os
from pathlib import Path
from typing import NamedTuple

from pinroute.cluster.api.client import Client
from pinroute.cluster.api.credentials import Credentials, TokenFile, credentials
from pinroute.cluster.api.exchange import Exchange
from pinroute.cluster.api.failure import Unconfigured
from pinroute.cluster.api.kubeconfig import Entry, kubeconfig
from pinroute.cluster.api.transport import CONNECTIONS, Server, Transport

__all__ = ["CONNECTIONS", "Access", "connect", "namespace"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Access(NamedTuple):
    """Which cluster, as kubectl's options say it; None leaves it to the environment.

    `timeout` is the longest that one request may take, in seconds; None is no limit.
    """

    kubeconfig: str | None = None
    context: str | None = None
    timeout: float | None = 30.0


def connect(access: Access) -> Client:
    """Return a client; raises Unconfigured. Nothing is sent yet; a plugin runs at the first request."""
    named = _named(access)
    if _is_pod(access, named):
        server, who = _service_account()
    else:
        login = kubeconfig(named or [_default()]).login(access.context or None)
        server, who = _server(login.cluster), credentials(login)
    return Client(Exchange(Transport(server), who, access.timeout))


def _default() -> Path:
    return Path("~/.kube/config").expanduser()


def _named(access: Access) -> list[Path]:
    """Return the files that were named: --kubeconfig is one, `$KUBECONFIG` a list."""
    if access.kubeconfig:
        return [Path(access.kubeconfig).expanduser()]
    listed = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    return [Path(name).expanduser() for name in listed if name]


def _server(cluster: Entry) -> Server:
    return Server(
        cluster.text("server").rstrip("/"),
        cluster.shown,
        cluster.content("certificate-authority"),
        cluster.flag("insecure-skip-tls-verify"),
        cluster.text("tls-server-name"),
        cluster.text("proxy-url"),
    )


def namespace(access: Access) -> str:
    """Return the namespace of the context, or of the pod; raises Unconfigured."""
    named = _named(access)
    if _is_pod(access, named):
        try:
            return (ACCOUNT / "namespace").read_text("utf-8").strip() or "default"
        except OSError:
            return "default"
    return kubeconfig(named or [_default()]).namespace(access.context or None)


def _is_pod(access: Access, named: list[Path]) -> bool:
    """Tell whether the service account of a pod is to be used: nothing else is said."""
    return not named and not access.context and not _default().exists() and _in_cluster()


def _in_cluster() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (ACCOUNT / "token").is_file()


def _service_account() -> tuple[Server, Credentials]:
    """Return what a pod has; its token is renewed in its file."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    shown = "the service account of this pod"
    try:
        authority = (ACCOUNT / "ca.crt").read_bytes()
    except OSError as error:
        raise Unconfigured(f"{shown}: {ACCOUNT}/ca.crt cannot be read: {error.strerror}") from None
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Server(url, shown, authority), TokenFile(shown, ACCOUNT / "token", ())
