"""JSON Web Tokens with a shared secret (HS256), and the key set with which Envoy checks them."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JwtProvider:
    """Who issues the tokens (`iss`), and the secret that signs them: for tests and demos only."""

    issuer: str
    secret: bytes = field(repr=False)


def token(provider: JwtProvider, claims: Mapping[str, object]) -> str:
    """Return a signed token with these claims; it never expires unless they say `exp`.

    The issuer is added; a claim `iss` overrides it. Same input, same token.
    """
    header = _encoded({"alg": "HS256", "typ": "JWT"})
    signed = f"{header}.{_encoded({'iss': provider.issuer, **claims})}"
    signature = hmac.digest(provider.secret, signed.encode(), "sha256")
    return f"{signed}.{_base64(signature)}"


def key_set(provider: JwtProvider) -> str:
    """Return the provider's JSON Web Key Set, as text."""
    key = {"kty": "oct", "alg": "HS256", "k": _base64(provider.secret)}
    return json.dumps({"keys": [key]})


def _encoded(value: Mapping[str, object]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
