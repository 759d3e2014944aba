"""What goes wrong between us and an API server, each with what to do about it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pinroute.cluster.api.kinds import Identity

_MISSING_RIGHT = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?P<where> in the namespace "[^"]+"| at the cluster scope)?'
)
_WEBHOOK = re.compile(
    r'admission webhook "(?P<webhook>[^"]+)" denied the request: (?P<why>.*)', re.S
)
_SILENT_WEBHOOK = re.compile(
    r'failed calling webhook "(?P<webhook>[^"]+)": (?:failed to call webhook: )?(?P<why>.*)', re.S
)
_MANAGER = re.compile(r'conflicts? with "(?P<manager>[^"]+)"')


class ClusterFailure(Exception):
    """The cluster could not be asked, or said no; `hint` says what to do.

    `may_pass` tells whether another attempt may help, `is_uncertain` whether the request may
    have been carried out all the same.
    """

    timed_out = False
    may_pass = False
    is_uncertain = False

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message)
        self.hint = hint


class Unconfigured(ClusterFailure):
    """There is no usable kubeconfig, or what it names is not there."""


class Ungranted(ClusterFailure):
    """A user's exec plugin grants no credentials."""


class Unreachable(ClusterFailure):
    """The API server cannot be reached, or a connection to it broke off."""

    may_pass = True


class Untrusted(ClusterFailure):
    """The certificate of the API server is not the right one; asking again does not help."""


class TimedOut(ClusterFailure):
    """There was no answer in time; whether the request was carried out is not known."""

    timed_out = True
    is_uncertain = True


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

    @property
    def as_whole(self) -> bool:
        """Whether the object has changed, and not only a field is somebody else's."""
        return not self.managers


class Denied(ClusterFailure):
    """An admission webhook, or the API server's own validation, refuses an object.

    `reason` holds its words.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


class NoAPI(ClusterFailure):
    """Something answers that is no API server: an ingress, a login page, plain HTTP for TLS."""


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
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NoNamespace(f"cannot {verb} {name}: its namespace is being deleted", _WAIT)
    webhook = _WEBHOOK.search(said)
    if webhook is not None:
        why = _one_line(webhook["why"])
        return Denied(f"webhook {webhook['webhook']} refuses {name}: {why}", why)
    if status == 403 and (verb in ("get", "list") or _MISSING_RIGHT.search(said)):
        return _forbidden(verb, name, said)
    if not known and said != _NO_SUCH_PATH:
        return NoAPI(
            f"cannot {verb} {name}: the answer is none of a Kubernetes API server: "
            f"status {status}: {_one_line(said)[:200]}",
            "compare the server of the kubeconfig: the right scheme, port and path?",
        )
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
    if status in (400, 403, 413, 422) or "request is too large" in said:
        why = _one_line(said) or f"status {status}"
        return Denied(f"the API server refuses {name}: {why}", why)
    if (silent := _SILENT_WEBHOOK.search(said)) is not None:
        return ServerFailed(
            f"cannot {verb} {name}: webhook {silent['webhook']} does not answer the API server: "
            f"{_one_line(silent['why'])}",
            "the program behind it must run: for Istio's, 'kubectl get pods -n istio-system -l app=istiod'",
        )
    return ServerFailed(
        f"cannot {verb} {name}: the API server answers {status}: {_one_line(said)}"
    )


_NO_SUCH_PATH = "404 page not found"
_WAIT = "wait until it is gone, and create it again"


def _forbidden(verb: str, name: str, said: str) -> Forbidden:
    right = _MISSING_RIGHT.search(said)
    if right is None:
        return Forbidden(f"cannot {verb} {name}: {_one_line(said) or 'forbidden'}")
    resource = right["resource"] + (f".{right['group']}" if right["group"] else "")
    where = (right["where"] or "").strip().replace(" the ", " ") or "there"
    return Forbidden(
        f"cannot {verb} {name}: {right['user']} may not {right['verb']} {resource} {where}",
        f'a Role must allow it: apiGroups ["{right["group"] or ""}"], '
        f'resources ["{right["resource"]}"], verbs ["{right["verb"]}"]; '
        "'pinroute rbac' prints the Role of each use",
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
