"""Which files a command reads: arguments, `-f`, folders, stdin."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from pinroute.cli.exits import Misuse
from pinroute.compilation import Source
from pinroute.diagnostics import Diagnostic, Span, diagnose
from pinroute.spec.parse import MAX_BYTES

STDIN = "<stdin>"
# Small enough for memory that is at hand: most files are read by one call.
PART = 64 * 1024
SUFFIXES = (".yaml", ".yml", ".json")


def read_sources(
    files: Sequence[str], filenames: Sequence[str], recursive: bool = False
) -> tuple[list[Source], list[Diagnostic]]:
    """Read what was named; without any name, stdin if something is piped in."""
    named = [*files, *filenames]
    if not named:
        if sys.stdin is None or sys.stdin.isatty():
            raise Misuse("name a file or a folder, or '-' for stdin")
        named = ["-"]
    sources: list[Source] = []
    found: list[Diagnostic] = []
    seen: set[str] = set()
    for name in named:
        for path in _expanded(name, recursive, found):
            if path in seen:
                continue
            seen.add(path)
            source = read_source(path, found)
            if source is not None:
                sources.append(source)
    return sources, found


def read_source(name: str, found: list[Diagnostic]) -> Source | None:
    """Read one file; what goes wrong is added to `found`."""
    if name == "-" and sys.stdin is None:
        found.append(diagnose("PIN009", Span(STDIN), file=STDIN, problem="it is closed"))
        return None
    if name == "-":
        return Source(STDIN, sys.stdin.buffer.read(MAX_BYTES + 1), _reader(""))
    try:
        return Source(name.replace(os.sep, "/"), _bytes(name), _reader(os.path.dirname(name)))
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        found.append(diagnose("PIN009", Span(name), file=name, problem=problem))
        return None


def _bytes(name: str) -> bytes:
    """Read no more of a file than the parser would take, so that memory has a bound."""
    with open(name, "rb", buffering=0) as file:
        parts: list[bytes] = []
        left = MAX_BYTES + 1
        while part := file.read(min(PART, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def _reader(folder: str) -> Callable[[str], bytes]:
    return lambda name: _bytes(os.path.join(folder, name))


def _expanded(name: str, recursive: bool, found: list[Diagnostic]) -> list[str]:
    if name == "-" or not os.path.isdir(name):
        return [name]
    problem = "the folder holds no .yaml, .yml or .json file"
    try:
        inside = sorted(path for path in _files(name, recursive) if path.endswith(SUFFIXES))
    except OSError as error:
        inside, problem = [], f"{error.filename}: {error.strerror}"
    if not inside:
        found.append(diagnose("PIN009", Span(name), file=name, problem=problem))
    return inside


def _files(folder: str, recursive: bool) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_file():
            yield os.path.normpath(entry.path)
        elif recursive and entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, recursive)


def value_lines(data: bytes) -> list[str]:
    """Return the lines of a file of values; only line feeds end one, with or without CR."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
