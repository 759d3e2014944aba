"""What goes wrong between us and an API server, each with what to do about it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pinroute.cluster.kinds import Identity

_MISSING_RIGHT = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?P<where> in the namespace "[^"]+"| at the cluster scope)?'
)
_WEBHOOK = re.compile(
    r'admission webhook "(?P<webhook>[^"]+)" denied the request: (?P<why>.*)', re.S
)
_MANAGER = re.compile(r'conflicts? with "(?P<manager>[^"]+)"')


class ClusterFailure(Exception):
    """The cluster could not be asked, or said no; `hint` says what to do."""

    timed_out = False

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


class Unconfigured(ClusterFailure):
    """There is no usable kubeconfig, and this is no pod of a cluster."""


class Unreachable(ClusterFailure):
    """The API server does not answer, or not as who it should be."""


class Untrusted(ClusterFailure):
    """The certificate of the API server is not the right one; asking again does not help."""


class TimedOut(ClusterFailure):
    """There was no answer in time; whether the request was carried out is not known."""

    timed_out = True


class Unauthorized(ClusterFailure):
    """The credentials are not taken, for example because a token has expired."""


class Forbidden(ClusterFailure):
    """A right is missing, which the message names."""


class NotInstalled(ClusterFailure):
    """The API server does not know a kind."""


class NoNamespace(ClusterFailure):
    """A namespace is absent, or on its way out."""


class Conflict(ClusterFailure):
    """Somebody else manages a field, or has changed the object in between.

    `managers` are the field managers of the fields, empty where the object as a whole
    has changed.
    """

    def __init__(self, message: str, managers: Sequence[str] = (), hint: str = ""):
        super().__init__(message, hint)
        self.managers = tuple(managers)


class Denied(ClusterFailure):
    """An admission webhook, or the API server's own validation, refuses an object.

    `reason` holds its words.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


class Expired(ClusterFailure):
    """What was read is too long ago to be followed: it has to be read again."""


class ServerFailed(ClusterFailure):
    """The API server fails, also after several attempts."""


def failure(verb: str, what: Identity | str, status: int, body: object) -> ClusterFailure:
    """Return what an answer with an error status means; `body` is a Status object or a text."""
    known: Mapping[str, Any] = body if isinstance(body, dict) else {}
    said = str(known.get("message") or (body if isinstance(body, str) else "")).strip()
    name = what.key if isinstance(what, Identity) else what
    details: Mapping[str, Any] = known.get("details") or {}
    causes = [cause for cause in details.get("causes") or () if isinstance(cause, dict)]
    if status == 401:
        return Unauthorized(
            "the API server does not take the credentials (401 Unauthorized)",
            "log in again, or renew the token that the kubeconfig's user has",
        )
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NoNamespace(f"cannot {verb} {name}: its namespace is being deleted", _WAIT)
    webhook = _WEBHOOK.search(said)
    if webhook is not None:
        why = _one_line(webhook["why"])
        return Denied(f"webhook {webhook['webhook']} refuses {name}: {why}", why)
    if status == 403:
        return _forbidden(verb, name, said)
    if status == 404 and not known:
        return NotInstalled(
            f"the API server does not know the kind of {name}",
            "install the CustomResourceDefinitions of Istio (or KServe), or mend environment.istio.apiVersion",
        )
    if status == 404 and details.get("kind") == "namespaces":
        return NoNamespace(
            f"cannot {verb} {name}: namespace {details.get('name')!r} does not exist",
            f"create it: kubectl create namespace {details.get('name')}",
        )
    if status == 409:
        return _conflict(verb, name, causes)
    if status in (400, 413, 422) or "request is too large" in said:
        why = _one_line(said) or f"status {status}"
        return Denied(f"the API server refuses {name}: {why}", why)
    return ServerFailed(
        f"cannot {verb} {name}: the API server answers {status}: {_one_line(said)}"
    )


_WAIT = "wait until it is gone, and create it again"


def _forbidden(verb: str, name: str, said: str) -> Forbidden:
    right = _MISSING_RIGHT.search(said)
    if right is None:
        return Forbidden(f"cannot {verb} {name}: {_one_line(said) or 'forbidden'}")
    resource = right["resource"] + (f".{right['group']}" if right["group"] else "")
    where = (right["where"] or "").strip().replace(" the ", " ") or "there"
    return Forbidden(
        f"cannot {verb} {name}: {right['user']} may not {right['verb']} {resource} {where}",
        "'pinroute rbac' prints the Role for each use",
    )


def _conflict(verb: str, name: str, causes: Sequence[Mapping[str, Any]]) -> Conflict:
    managers: dict[str, list[str]] = {}
    for cause in causes:
        manager = _MANAGER.search(str(cause.get("message")))
        if manager is not None:
            managers.setdefault(manager["manager"], []).append(str(cause.get("field")))
    if not managers:
        return Conflict(
            f"cannot {verb} {name}: somebody changed it in between",
            hint="look at the change with 'pinroute diff', and run the command again",
        )
    owned = "; ".join(
        f"{', '.join(sorted(fields))} by {manager}" for manager, fields in managers.items()
    )
    return Conflict(
        f"cannot {verb} {name}: fields are managed by somebody else: {owned}",
        tuple(managers),
        "let them go there, or take them over with --force-conflicts",
    )


def _one_line(text: str) -> str:
    """Return a message in one line; Istio's lists become sentences."""
    parts = [part.strip().removeprefix("* ") for part in text.splitlines()]
    return " ".join(part for part in parts if part)
