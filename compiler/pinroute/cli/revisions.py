"""Where the two sides of a comparison come from: files, folders, or a revision of git."""

import os
import subprocess
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pinroute.cli.exits import Misuse
from pinroute.cli.inputs import SUFFIXES, read_sources
from pinroute.compilation import Source
from pinroute.diagnostics import Diagnostic


class Sides(NamedTuple):
    """What some files were and what they are; what cannot be read now is a finding."""

    old: list[Source]
    new: list[Source]
    unread: list[Diagnostic]


def read_side(name: str, recursive: bool) -> tuple[list[Source], list[Diagnostic]]:
    """Read a file, a folder, or `REV:path` as `git show` knows it."""
    revision, colon, path = name.partition(":")
    if not colon or os.path.exists(name) or len(revision) < 2:
        return read_sources([name], (), recursive)
    return _from_git(revision, path, recursive), []


def history(path: str) -> list[Source]:
    """Return every committed state of a file, the oldest first.

    Renames are followed, also one that is not committed yet. States are those of the
    branch itself: of a merge, what it brought.
    """
    if not os.path.isfile(path):
        raise Misuse(f"{path} is no file")
    top, base = _place(path)
    log = _log(top, base)
    if not log:
        before = _changed(top, "HEAD").renamed.get(base)
        log = _log(top, before) if before is not None else []
    return [_one(revision, name, top) for revision, name in reversed(log)]


def since(revision: str, names: Sequence[str], recursive: bool) -> Sides:
    """Return files as they were in a revision, and as they are now.

    A file that was renamed since has its old name there; one that is new was not there.
    What git shows as deleted since is in the old side, if it held an experiment: hooks
    are not told of files that are gone.
    """
    top, _ = _place(".")
    known = _known(top, revision)
    change = _changed(top, revision) if known is not None else _Change({}, [])
    old: dict[str, Source] = {}
    here: list[str] = []
    for name in names:
        _, place = _place(name)
        if os.path.isdir(name):
            inside = [path for path in known or () if _inside(path, place, recursive)]
            here.append(name)
        else:
            before = change.renamed.get(place, place)
            inside = [before] if before in (known or ()) else []
            if os.path.exists(name):
                here.append(name)
            else:
                inside = inside or [
                    path for path in known or () if _inside(path, place, recursive)
                ]
            if not inside and name not in here:
                raise Misuse(f"{name} is neither here nor in {revision}")
        old.update({path: _one(revision, path, top) for path in inside})
    for path in change.deleted:
        if path not in old and path.endswith(SUFFIXES):
            source = _one(revision, path, top)
            if b"AffinityExperiment" in source.data:
                old[path] = source
    new, unread = read_sources(here, (), recursive) if here else ([], [])
    return Sides(list(old.values()), new, unread)


class _Change(NamedTuple):
    """What git knows to be renamed (old names by new ones) and deleted, from the top."""

    renamed: dict[str, str]
    deleted: list[str]


def _changed(top: str, revision: str) -> _Change:
    """Compare a revision with the files that are here now."""
    words = _git(top, "diff", "--find-renames", "--name-status", "-z", revision, "--").split("\0")
    found = _Change({}, [])
    at = 0
    while at + 1 < len(words):
        status = words[at]
        if status.startswith(("R", "C")):
            if status.startswith("R"):
                found.renamed[words[at + 2]] = words[at + 1]
            at += 3
            continue
        if status == "D":
            found.deleted.append(words[at + 1])
        at += 2
    return found


def _known(top: str, revision: str) -> frozenset[str] | None:
    """Return the files of a revision, None for the HEAD of a repository without commits."""
    if revision.startswith("-"):
        raise Misuse(f"{revision!r} is no revision")
    if revision == "HEAD":
        try:
            _git(top, "rev-parse", "--verify", "--quiet", "HEAD")
        except Misuse:
            return None
    return frozenset(_git(top, "ls-tree", "-r", "-z", "--name-only", revision).split("\0"))


def _inside(path: str, folder: str, recursive: bool) -> bool:
    """Tell whether a file is in a folder; `.` is the top."""
    if not path.endswith(SUFFIXES):
        return False
    head = "" if folder == "." else f"{folder}/"
    return path.startswith(head) and (recursive or "/" not in path[len(head) :])


def _place(path: str) -> tuple[str, str]:
    """Return the top folder of the repository of a path, and the path from there."""
    folder, base = os.path.split(os.path.abspath(path))
    if os.path.isdir(path):
        folder, base = os.path.abspath(path), ""
    while not os.path.isdir(folder):  # the folder of a file that is gone may be gone, too
        folder, last = os.path.split(folder)
        base = os.path.join(last, base)
    top = _git(folder, "rev-parse", "--show-toplevel").rstrip("\n")
    whole = os.path.join(os.path.realpath(folder), base)
    return top, os.path.relpath(whole, os.path.realpath(top)).replace(os.sep, "/")


def _log(top: str, path: str) -> list[tuple[str, str]]:
    """Return the revisions that have a state of a file, the newest first, and its name there."""
    words = _git(
        top,
        "-c",
        "log.showSignature=false",
        "--literal-pathspecs",
        "log",
        "--first-parent",
        "-m",
        "--follow",
        "--format=%x01%h",
        "--name-status",
        "-z",
        "--",
        path,
    ).split("\0")
    found: list[tuple[str, str]] = []
    revision, status = "", ""
    for word in words:
        if word.startswith("\x01"):
            revision, status = word[1:].strip(), ""
        elif not status:
            status = word.strip()
        elif word and status != "D":
            # Of a rename the last name is the one it has in this revision.
            if found and found[-1][0] == revision:
                found.pop()
            found.append((revision, word))
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
    return _bytes(folder, *words).decode("utf-8", "surrogateescape")


def _bytes(folder: str, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise Misuse("git is not installed; name files or folders") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["failed"]
        fatal = next((line for line in lines if line.startswith("fatal: ")), lines[-1])
        raise Misuse(f"git {_command(words)}: {fatal.removeprefix('fatal: ')}")
    return done.stdout


def _command(words: Sequence[str]) -> str:
    return next(word for word in words if not word.startswith("-") and "=" not in word)
