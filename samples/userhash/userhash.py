"""The user hash at the edge: library, ASGI middleware and command line.

Usage: python userhash.py SALT ALPHABET DIGITS USER_ID...
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# isort: split
# region: hash
import hashlib
import hmac


def user_hash(
    salt: str, user_id: str, alphabet: str = "binary", digits: int = 10, key: str = ""
) -> str:
    """Return the user hash: the first digits of a digest of the salt and the user id.

    With a key the digest is HMAC-SHA-256, without one SHA-256.
    """
    if not salt or ":" in salt:
        raise ValueError("the salt must not be empty or contain a colon")
    if not user_id:
        raise ValueError("the user id must not be empty")
    if not 1 <= digits <= 32:
        raise ValueError("digits must be between 1 and 32")
    message = f"{salt}:{user_id}".encode()
    if key:
        digest = hmac.digest(key.encode(), message, "sha256")
    else:
        digest = hashlib.sha256(message).digest()
    head = int.from_bytes(digest[:8], "big")  # 64 bits
    if alphabet == "binary":
        return f"{head:064b}"[:digits]
    if alphabet == "decimal":
        return f"{head * 10**digits >> 64:0{digits}d}"
    if alphabet == "hex":
        return digest.hex()[:digits]
    raise ValueError("the alphabet must be binary, decimal or hex")


# endregion

# region: middleware
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class UserHashMiddleware:
    """ASGI middleware: the client's header goes, the computed one takes its place."""

    def __init__(self, app: App, user_id_of: Callable[[Scope], str | None], salt: str) -> None:
        user_hash(salt, "probe")  # a bad salt stops the start, not the requests
        self.app = app
        self.user_id_of = user_id_of  # from the verified session or token, else None
        self.salt = salt

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = [(k, v) for k, v in scope["headers"] if k.lower() != b"userhash"]
            if user_id := self.user_id_of(scope):
                headers.append((b"userhash", user_hash(self.salt, user_id).encode()))
            scope = {**scope, "headers": headers}
        await self.app(scope, receive, send)


# endregion


def run(args: list[bytes], key: bytes) -> list[str]:
    """Return one hash for each user id; the bytes of the command line are UTF-8."""
    if len(args) < 4:
        raise ValueError("usage: userhash SALT ALPHABET DIGITS USER_ID...")
    salt, alphabet, digits, *users = (arg.decode() for arg in args)
    if not re.fullmatch("[0-9]{1,2}", digits):
        raise ValueError("digits must be between 1 and 32")
    return [user_hash(salt, user, alphabet, int(digits), key.decode()) for user in users]


def main() -> int:
    """Print one hash a line; print nothing but the reason when anything is wrong."""
    try:
        args = [os.fsencode(arg) for arg in sys.argv[1:]]
        hashes = run(args, os.environb.get(b"USERHASH_KEY", b""))
    except ValueError as error:
        reason = "not UTF-8" if isinstance(error, UnicodeError) else error
        print(f"userhash: {reason}", file=sys.stderr)
        return 2
    print("\n".join(hashes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
