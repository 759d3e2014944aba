"""Which files a command reads: arguments, `-f`, folders, stdin."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from pinroute.compilation import Source
from pinroute.diagnostics import Diagnostic, Span, diagnose
from pinroute.spec.parse import MAX_BYTES

F = TypeVar("F", bound=Callable[..., Any])

STDIN = "<stdin>"
SUFFIXES = (".yaml", ".yml", ".json")


def input_options(command: F) -> F:
    """Add FILE…, -f and -R to a command."""
    for decorate in (
        click.option(
            "-R", "--recursive", is_flag=True, help="Also read folders inside of folders."
        ),
        click.option(
            "-f",
            "--filename",
            "filenames",
            multiple=True,
            metavar="FILE",
            help="A spec, a folder of specs, or - for stdin. Can be repeated.",
        ),
        click.argument("files", nargs=-1, metavar="[FILE]..."),
    ):
        command = decorate(command)
    return command


def read_sources(
    files: Sequence[str], filenames: Sequence[str], recursive: bool = False
) -> tuple[list[Source], list[Diagnostic]]:
    """Read what was named; without any name, stdin if something is piped in."""
    named = [*files, *filenames]
    if not named:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("name a file or a folder, or '-' for stdin")
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
    if name == "-":
        return Source(STDIN, sys.stdin.buffer.read(MAX_BYTES + 1), _reader(Path()))
    path = Path(name)
    try:
        return Source(path.as_posix(), _bytes(path), _reader(path.parent))
    except OSError as error:
        found.append(
            diagnose("PIN009", Span(name), file=name, problem=error.strerror or str(error))
        )
        return None


def _reader(folder: Path) -> Callable[[str], bytes]:
    return lambda name: _bytes(folder / name)


def _bytes(path: Path) -> bytes:
    """Read no more of a file than the parser accepts, so that memory has a bound."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _expanded(name: str, recursive: bool, found: list[Diagnostic]) -> list[str]:
    path = Path(name)
    if name == "-" or not path.is_dir():
        return [name]
    pattern = path.rglob("*") if recursive else path.glob("*")
    inside = sorted(
        file.as_posix() for file in pattern if file.suffix in SUFFIXES and file.is_file()
    )
    if not inside:
        problem = "the folder holds no .yaml, .yml or .json file"
        found.append(diagnose("PIN009", Span(name), file=name, problem=problem))
    return inside
