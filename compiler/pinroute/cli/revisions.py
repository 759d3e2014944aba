"""Where the two sides of a comparison come from: files, folders, or a revision of git."""

import os
import subprocess
from collections.abc import Callable

from pinroute.cli.exits import Misuse
from pinroute.cli.inputs import SUFFIXES, read_sources
from pinroute.compilation import Source
from pinroute.diagnostics import Diagnostic


def read_side(name: str, recursive: bool) -> tuple[list[Source], list[Diagnostic]]:
    """Read a file, a folder, or `REV:path` as `git show` knows it."""
    revision, colon, path = name.partition(":")
    if not colon or os.path.exists(name) or len(revision) < 2:
        return read_sources([name], (), recursive)
    return _from_git(revision, path, recursive), []


def history(path: str) -> list[tuple[str, Source]]:
    """Return every committed state of a file, the oldest first, with its short revision."""
    folder, base = os.path.split(os.path.abspath(path))
    if not os.path.isfile(path):
        raise Misuse(f"{path} is no file")
    log = _git(folder, "log", "--format=%h", "--reverse", "--", base)
    found: list[tuple[str, Source]] = []
    for revision in log.split():
        # A commit that removed the file has no state of it.
        if _git(folder, "ls-tree", "--name-only", revision, "--", base).strip():
            found.append((revision, _one(revision, f"./{base}", folder)))
    return found


def _from_git(revision: str, path: str, recursive: bool) -> list[Source]:
    kind = _git(".", "cat-file", "-t", f"{revision}:{path}").strip()
    if kind == "blob":
        return [_one(revision, path, ".")]
    options = ["-z", "--name-only", "--full-tree", *(["-r"] if recursive else [])]
    names = _git(".", "ls-tree", *options, f"{revision}:{path}").split("\0")
    inside = [
        f"{path.rstrip('/')}/{name}" if path else name
        for name in sorted(names)
        if name.endswith(SUFFIXES)
    ]
    if not inside:
        raise Misuse(f"{revision}:{path} holds no .yaml, .yml or .json file")
    return [_one(revision, name, ".") for name in inside]


def _one(revision: str, path: str, folder: str) -> Source:
    text = _bytes(folder, "show", f"{revision}:{path}")
    return Source(f"{revision}:{path.removeprefix('./')}", text, _beside(revision, path, folder))


def _beside(revision: str, path: str, folder: str) -> Callable[[str], bytes]:
    """Return how to read what stands beside a file in the same revision."""

    def read(name: str) -> bytes:
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        # To git, only what begins with ./ or ../ is seen from the folder, not from the top.
        if path.startswith(("./", "../")) and not beside.startswith("../"):
            beside = f"./{beside}"
        try:
            return _bytes(folder, "show", f"{revision}:{beside}")
        except Misuse as error:
            raise OSError(str(error)) from None

    return read


def _git(folder: str, *words: str) -> str:
    return _bytes(folder, *words).decode("utf-8", "replace")


def _bytes(folder: str, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise Misuse("git is not installed; name files or folders") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["failed"]
        fatal = next((line for line in lines if line.startswith("fatal: ")), lines[-1])
        raise Misuse(f"git {words[0]}: {fatal.removeprefix('fatal: ')}")
    return done.stdout
