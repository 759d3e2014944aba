"""Kubeconfig files, read and merged as kubectl does: of two entries of a name the first counts.

So does the first `current-context`: a later one would send a write to another cluster than
kubectl's. Source: client-go, tools/clientcmd (loader.go, client_config.go).
"""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pinroute.cluster.api.failure import Unconfigured
from pinroute.diagnostics.nearest import did_you_mean

_LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_LIST_CONTEXTS = "'kubectl config get-contexts' lists the contexts; --context names one"


class Entry(NamedTuple):
    """A named cluster, user or context; relative paths in it start at the folder of its file."""

    kind: str
    name: str
    fields: Mapping[str, Any]
    file: Path

    @property
    def shown(self) -> str:
        """What it is, its name, and where it is written."""
        return f"{self.kind} {self.name!r} of {self.file}"

    def text(self, field: str) -> str:
        """Return a text, empty if there is none."""
        value = self.fields.get(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Unconfigured(f"{self.shown}: {field} is no text; quote it")
        return value

    def flag(self, field: str) -> bool:
        """Return a boolean, false if there is none."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, bool):
            raise Unconfigured(f"{self.shown}: {field} is neither true nor false")
        return bool(value)

    def mapping(self, field: str) -> Mapping[str, Any]:
        """Return a mapping, empty if there is none."""
        value = self.fields.get(field)
        if value is not None and not isinstance(value, dict):
            raise Unconfigured(f"{self.shown}: {field} is no mapping")
        return value or {}

    def path(self, field: str) -> Path | None:
        """Return a path of a file."""
        text = self.text(field)
        return self.file.parent / text if text else None

    def content(self, field: str) -> bytes | None:
        """Return the content of a file, or of `field`-data, which counts if both are there."""
        data = self.text(f"{field}-data")
        if data:
            try:
                return base64.b64decode("".join(data.split()), validate=True)
            except ValueError:
                raise Unconfigured(f"{self.shown}: {field}-data is no base64") from None
        path = self.path(field)
        if path is None:
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise Unconfigured(
                f"{self.shown}: {field} {path} cannot be read: {error.strerror}"
            ) from None


class Login(NamedTuple):
    """A cluster, and as whom to ask it: None is anonymous."""

    cluster: Entry
    user: Entry | None


class Kubeconfig(NamedTuple):
    """What all files together say; `files` are those that were read."""

    files: tuple[Path, ...]
    current: str
    entries: Mapping[tuple[str, str], Entry]

    @property
    def shown(self) -> str:
        """The files, as `$KUBECONFIG` lists them."""
        return os.pathsep.join(map(str, self.files))

    def login(self, context: str | None) -> Login:
        """Return the login of a context, the current one if none is named; raises Unconfigured."""
        name = self.current if context is None else context
        if not name:
            raise Unconfigured(f"kubeconfig {self.shown} has no current-context", _LIST_CONTEXTS)
        found = self._entry("context", name)
        if found is None:
            known = [entry.name for entry in self.entries.values() if entry.kind == "context"]
            near = did_you_mean(name, known)
            raise Unconfigured(
                f"there is no context {name!r} in kubeconfig {self.shown}: {near}",
                _LIST_CONTEXTS,
            )
        cluster = self._entry("cluster", found.text("cluster"))
        if cluster is None:
            raise Unconfigured(
                f"{found.shown} names cluster {found.text('cluster')!r}, which is not there"
            )
        user = self._entry("user", found.text("user"))
        if user is None and found.text("user"):
            raise Unconfigured(
                f"{found.shown} names user {found.text('user')!r}, who is not there"
            )
        return Login(cluster, user)

    def namespace(self, context: str | None) -> str:
        """Return the namespace of a context, the current one if none is named."""
        found = self._entry("context", self.current if context is None else context)
        return (found.text("namespace") if found is not None else "") or "default"

    def _entry(self, kind: str, name: str) -> Entry | None:
        return self.entries.get((kind, name))


def kubeconfig(files: Sequence[Path]) -> Kubeconfig:
    """Read and merge files; those that are absent are left out. Raises Unconfigured."""
    there = tuple(path for path in files if path.exists())
    if not there:
        listed = os.pathsep.join(map(str, files))
        raise Unconfigured(
            f"there is no kubeconfig: {listed} does not exist",
            "name one with --kubeconfig or $KUBECONFIG",
        )
    current, entries = "", dict[tuple[str, str], Entry]()
    for path in there:
        body = _read(path)
        named = body.get("current-context") or ""
        if not isinstance(named, str):
            raise Unconfigured(f"kubeconfig {path}: current-context is no text; quote it")
        current = current or named
        for entry in _entries(path, body):
            entries.setdefault((entry.kind, entry.name), entry)
    return Kubeconfig(there, current, entries)


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        body = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except OSError as error:
        raise Unconfigured(f"kubeconfig {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unconfigured(f"kubeconfig {path} is no YAML: {_one_line(error)}") from None
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise Unconfigured(f"kubeconfig {path} holds no mapping, as kind: Config is one")
    return body


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _entries(path: Path, body: Mapping[str, Any]) -> list[Entry]:
    found: list[Entry] = []
    for plural, kind in _LISTS.items():
        items = body.get(plural) or []
        if not isinstance(items, list):
            raise Unconfigured(f"kubeconfig {path}: {plural} is no list")
        for number, item in enumerate(items):
            name = item.get("name") if isinstance(item, dict) else None
            if not isinstance(name, str):
                raise Unconfigured(f"kubeconfig {path}: {plural}[{number}] has no name")
            fields = item.get(kind)
            if fields is not None and not isinstance(fields, dict):
                raise Unconfigured(f"kubeconfig {path}: {kind} {name!r} is no mapping")
            found.append(Entry(kind, name, fields or {}, path))
    return found
