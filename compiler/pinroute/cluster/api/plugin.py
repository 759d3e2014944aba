"""A user's exec plugin: a program that prints credentials, as kubectl runs it.

Source: Kubernetes "Authentication", client-go credential plugins.
"""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pinroute.cluster.api.failure import Unconfigured, Ungranted
from pinroute.cluster.api.kubeconfig import Entry, Login

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_EXTENSION = "client.authentication.k8s.io/exec"


class Granted(NamedTuple):
    """A token, or a certificate with its key, and until when they hold (None: not said)."""

    token: str = ""
    certificate: tuple[bytes, bytes] | None = None
    until: datetime | None = None

    @property
    def has_expired(self) -> bool:
        """Whether they hold no more."""
        return self.until is not None and self.until <= datetime.now(UTC)


def granted(login: Login, user: Entry) -> Granted:
    """Run the plugin of a user; raises Unconfigured or Ungranted. What it says on stderr, its user reads."""
    plugin = user._replace(fields=user.mapping("exec"), kind="exec plugin of user")
    command, version = plugin.text("command"), plugin.text("apiVersion")
    if not command:
        raise Unconfigured(f"{plugin.shown} has no command")
    if version not in _VERSIONS:
        raise Unconfigured(
            f"{plugin.shown} has apiVersion {version!r}; {' and '.join(_VERSIONS)} are understood"
        )
    if os.sep in command:
        command = str(plugin.file.parent / command)
    arguments = _texts(plugin, "args")
    interactive = plugin.text("interactiveMode") != "Never" and sys.stdin is not None
    interactive = interactive and sys.stdin.isatty()
    try:
        ran = subprocess.run(  # noqa: S603 - the user's own kubeconfig names it; no shell
            [command, *arguments],
            env=os.environ
            | _environment(plugin)
            | {"KUBERNETES_EXEC_INFO": _asked(login, plugin, version, interactive)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise Ungranted(
            f"{plugin.shown}: {command} cannot be run: {problem}",
            plugin.text("installHint").strip() or "install it, or mend the kubeconfig",
        ) from None
    if ran.returncode != 0:
        raise Ungranted(
            f"{plugin.shown}: {command} ended with code {ran.returncode}",
            "what it said stands above; log in with it, and run the command again",
        )
    return _read(plugin, command, version, ran.stdout)


def _texts(plugin: Entry, field: str) -> list[str]:
    items = plugin.fields.get(field) or []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise Unconfigured(f"{plugin.shown}: {field} is no list of texts; quote them")
    return items


def _environment(plugin: Entry) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in plugin.fields.get("env") or []:
        name, value = (
            (item.get("name"), item.get("value")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(name, str) or not isinstance(value, str):
            raise Unconfigured(f"{plugin.shown}: env is no list of a name and a value each")
        found[name] = value
    return found


def _asked(login: Login, plugin: Entry, version: str, interactive: bool) -> str:
    """Return what the plugin is told: KUBERNETES_EXEC_INFO."""
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.flag("provideClusterInfo"):
        spec["cluster"] = _cluster(login.cluster)
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})


def _cluster(cluster: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"server": cluster.text("server")}
    for field in ("tls-server-name", "proxy-url"):
        if cluster.text(field):
            found[field] = cluster.text(field)
    if cluster.flag("insecure-skip-tls-verify"):
        found["insecure-skip-tls-verify"] = True
    authority = cluster.content("certificate-authority")
    if authority:
        found["certificate-authority-data"] = base64.b64encode(authority).decode()
    for item in cluster.fields.get("extensions") or []:
        if isinstance(item, dict) and item.get("name") == _EXTENSION:
            found["config"] = item.get("extension")
    return found


def _read(plugin: Entry, command: str, version: str, said: bytes) -> Granted:
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    kind = answer.get("kind") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or kind != "ExecCredential":
        raise Ungranted(f"{plugin.shown}: {command} prints no ExecCredential in JSON")
    if answer.get("apiVersion") != version:
        raise Ungranted(
            f"{plugin.shown}: {command} answers in apiVersion {answer.get('apiVersion')!r}, "
            f"the kubeconfig says {version!r}"
        )
    status = answer.get("status")
    shown = plugin._replace(fields=status if isinstance(status, dict) else {})
    token = shown.text("token").strip()
    pair = shown.text("clientCertificateData"), shown.text("clientKeyData")
    if not token and not all(pair):
        raise Ungranted(
            f"{plugin.shown}: {command} grants neither a token nor a certificate with its key"
        )
    certificate = (pair[0].encode(), pair[1].encode()) if all(pair) else None
    return Granted(token, certificate, _time(plugin, command, shown.text("expirationTimestamp")))


def _time(plugin: Entry, command: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Ungranted(
            f"{plugin.shown}: {command} prints expirationTimestamp {text!r}, which is no time"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
