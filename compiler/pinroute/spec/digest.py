"""SHA-256 of a text or of plain data, for names that have to be the same on every machine."""

import json
from importlib import import_module
from typing import Any


def _implementation() -> Any:
    """Return Python's own module for it: `hashlib` would load all of OpenSSL at start."""
    for name in ("_sha2", "_sha256", "hashlib"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("this Python has no SHA-256")


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as 64 hex digits."""
    found: str = _implementation().sha256(text.encode()).hexdigest()
    return found


def digest(data: object) -> str:
    """Return a short digest of plain data, the same for every order of keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_of(text)[:16]
