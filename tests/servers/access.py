"""A user's way to an API server: by kubectl, and over one kept connection."""

import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

KUBECTL = Path(sys.executable).with_name("kubectl")


class Answer(NamedTuple):
    """What the API server says: the status, the object or text, and `Warning` headers."""

    status: int
    body: Any
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        """The message of a Status object; empty for any other answer."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""


@dataclass(frozen=True)
class Access:
    """An API server's address and authority, and a user's token; `kubeconfig` holds the three."""

    server: str
    authority: Path
    kubeconfig: Path
    token: str = field(repr=False)

    @classmethod
    def written(cls, server: str, authority: Path, kubeconfig: Path, token: str) -> Self:
        """Write the kubeconfig, readable by its owner only, and return the access."""
        named = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {"server": server, "certificate-authority": str(authority)},
                }
            ],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "user"}}],
            "current-context": "tests",
        }
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(json.dumps(named), encoding="utf-8")
        return cls(server, authority, kubeconfig, token)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use this access, and leave no traces."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.kubeconfig.with_suffix(".cache")),
        }

    def kubectl(
        self, *words: str, stdin: str = "", check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl; with `check` a failure raises an AssertionError with what it said."""
        run = subprocess.run(
            [str(KUBECTL), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.environment},
        )
        if check and run.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(words)}: {run.returncode}\n{run.stderr}")
        return run

    def connect(self) -> "Connection":
        """Return a connection to the API server, to be used as a context."""
        return Connection(self)


class Connection:
    """One kept HTTPS connection; not for use by several threads."""

    def __init__(self, access: Access) -> None:
        address = urlsplit(access.server)
        context = ssl.create_default_context(cafile=str(access.authority))
        self._headers = {"Authorization": f"Bearer {access.token}", "Accept": "application/json"}
        self._http = http.client.HTTPSConnection(
            address.hostname or "", address.port, context=context, timeout=60
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        content: str = "application/json",
    ) -> Answer:
        """Send an object as JSON, or a text as it is; `content` is the media type."""
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        headers = {**self._headers, **({"Content-Type": content} if data is not None else {})}
        self._http.request(method, path, data.encode() if data is not None else None, headers)
        response = self._http.getresponse()
        text = response.read().decode()
        told = tuple(response.headers.get_all("Warning", ()))
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(response.status, json.loads(text) if is_json else text, told)
