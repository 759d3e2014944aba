"""Who we are to an API server: a token, a certificate, a password, or what a plugin grants.

Nothing of it is ever printed.
"""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pinroute.cluster.api.failure import Unconfigured
from pinroute.cluster.api.kubeconfig import Entry, Login

if TYPE_CHECKING:
    from pinroute.cluster.api.plugin import Granted

Headers = tuple[tuple[str, str], ...]  # a name may come more than once
Certificate = tuple[bytes, bytes]  # in PEM, and its key
READ_AGAIN = 60.0  # seconds: a projected token is renewed in its file
_AUTHORIZATION = "Authorization"
_DROPPED = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}


class Credentials(Protocol):
    """What goes with requests; `shown` names whose it is."""

    shown: str

    def headers(self) -> Headers:
        """Return the headers of a request; raises Unconfigured."""
        ...

    def certificate(self) -> Certificate | None:
        """Return the client certificate of new connections; raises Unconfigured."""
        ...

    def renew(self) -> bool:
        """Throw away what was refused; tell whether there may be something better now."""
        ...


class Fixed:
    """Credentials that stay as they are."""

    def __init__(self, shown: str, headers: Headers, certificate: Certificate | None = None):
        self.shown = shown
        self._headers, self._certificate = headers, certificate

    def headers(self) -> Headers:
        return self._headers

    def certificate(self) -> Certificate | None:
        return self._certificate

    def renew(self) -> bool:
        return False


class TokenFile:
    """A token in a file, which somebody renews there."""

    def __init__(self, shown: str, path: Path, headers: Headers):
        self.shown = shown
        self._path, self._others = path, headers
        self._token, self._read = "", float("-inf")

    def headers(self) -> Headers:
        if time.monotonic() - self._read > READ_AGAIN:
            try:
                self._token = bearer(self.shown, self._path.read_text("utf-8"))
            except (OSError, ValueError) as error:
                problem = getattr(error, "strerror", None) or "it is no text"
                raise Unconfigured(
                    f"{self.shown}: the token file {self._path} cannot be read: {problem}"
                ) from None
            self._read = time.monotonic()
        return (*self._others, (_AUTHORIZATION, self._token))

    def certificate(self) -> Certificate | None:
        return None

    def renew(self) -> bool:
        before, self._read = self._token, float("-inf")
        self.headers()
        return self._token != before


class Plugin:
    """What an exec plugin grants, asked again when it has expired or was refused."""

    def __init__(self, login: Login, user: Entry, headers: Headers):
        self.shown = user.shown
        self._login, self._user, self._others = login, user, headers
        self._granted: Granted | None = None

    def headers(self) -> Headers:
        token = self._current()
        return (*self._others, (_AUTHORIZATION, token)) if token else self._others

    def certificate(self) -> Certificate | None:
        self._current()
        return self._granted.certificate if self._granted is not None else None

    def renew(self) -> bool:
        self._granted = None
        return True

    def _current(self) -> str:
        if self._granted is None or self._granted.has_expired:
            from pinroute.cluster.api.plugin import granted

            self._granted = granted(self._login, self._user)
        return bearer(self.shown, self._granted.token) if self._granted.token else ""


def credentials(login: Login) -> Credentials:
    """Return the credentials of a kubeconfig's user; raises Unconfigured."""
    user = login.user
    if user is None:
        return Fixed(f"nobody: the context of {login.cluster.shown} names no user", ())
    others = _impersonation(user)
    certificate = _certificate(user)
    token_file, token = user.path("tokenFile"), user.text("token")
    if token_file is not None and certificate is None:
        return TokenFile(user.shown, token_file, others)
    if token_file is not None:
        token = _text_of(user, token_file)
    provider = user.mapping("auth-provider")
    if provider:
        token = token or _provided(user._replace(fields=provider))
    if token:
        own = (_AUTHORIZATION, bearer(user.shown, token))
        return Fixed(user.shown, (*others, own), certificate)
    name, password = user.text("username"), user.text("password")
    if name:
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        own = (_AUTHORIZATION, f"Basic {basic}")
        return Fixed(user.shown, (*others, own), certificate)
    if certificate is None and user.mapping("exec"):
        return Plugin(login, user, others)
    return Fixed(user.shown, others, certificate)


def bearer(shown: str, token: str) -> str:
    """Return the header of a token; raises Unconfigured for what no token can be."""
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise Unconfigured(
            f"{shown}: the token is empty, or holds what no token does, such as a line break"
        )
    return f"Bearer {token}"


def _text_of(user: Entry, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        raise Unconfigured(f"{user.shown}: the token file {path} cannot be read") from None


def _certificate(user: Entry) -> Certificate | None:
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "client-certificate" if certificate is None else "client-key"
        raise Unconfigured(f"{user.shown} has no {missing} to go with the other")
    return certificate, key


def _impersonation(user: Entry) -> Headers:
    """Return the headers of `as` and what belongs to it."""
    from urllib.parse import quote

    found = [("Impersonate-User", user.text("as")), ("Impersonate-Uid", user.text("as-uid"))]
    found += [("Impersonate-Group", name) for name in _names(user, user.fields, "as-groups")]
    extra = user.mapping("as-user-extra")
    for key in extra:
        header = f"Impersonate-Extra-{quote(str(key).lower(), safe='')}"
        found += [(header, value) for value in _names(user, extra, key)]
    return tuple((header, value) for header, value in found if value)


def _names(user: Entry, fields: Mapping[str, object], key: str) -> list[str]:
    items = fields.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise Unconfigured(f"{user.shown}: {key} is no list of texts")
    return items


def _provided(provider: Entry) -> str:
    """Return the token that kubectl has stored for an auth-provider, if it still holds."""
    name = provider.text("name")
    if name in _DROPPED:
        raise Unconfigured(
            f"{provider.shown} has auth-provider {name}, which kubectl has no more either",
            f"use the exec plugin {_DROPPED[name]}",
        )
    token = str(provider.mapping("config").get("id-token") or "")
    if not token or _expiry(token) <= time.time():
        raise Unconfigured(
            f"{provider.shown} has auth-provider {name!r}, and no id-token that still holds",
            "any call of kubectl renews it, for example 'kubectl get namespaces'",
        )
    return token


def _expiry(token: str) -> float:
    """Return the `exp` of a JSON Web Token; for what is none, the API server decides."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return float("inf")
