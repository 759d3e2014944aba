"""Running pinroute as a user does, and comparing what it writes with the files in golden/."""

from __future__ import annotations

import contextlib
import difflib
import gc
import io
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from pinroute.cli import main
from pinroute.diagnostics import Severity, rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "golden"
RECIPE = ".recipe.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class Pinroute:
    """The command line, in this process and at a width of 100 columns."""

    root = ROOT

    def environment(self) -> dict[str, str]:
        """Return the environment: nothing that colours the output or sets options."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PINROUTE") and "COLOR" not in name
        }
        return {**kept, "COLUMNS": "100", "PYTHONPATH": str(ROOT / "compiler")}

    def run(self, *arguments: str, cwd: Path = ROOT) -> Result:
        """Run a command in a folder."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        collecting = gc.isenabled()
        with (
            mock.patch.dict(os.environ, self.environment(), clear=True),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(), "utf-8")),
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as stop,
        ):
            main(list(arguments))
        if collecting:  # a command switches it off: its process is about to end
            gc.enable()
        texts = []
        for stream in (out, err):
            stream.flush()
            stream.seek(0)
            texts.append(stream.read())
        code = stop.value.code
        assert isinstance(code, int)
        return Result(code, *texts)


@pytest.fixture(scope="session")
def pinroute() -> Pinroute:
    return Pinroute()


def _only_validated(sample: Path) -> bool:
    """Tell whether `compile` says nothing: VirtualServices are not its own, notes are quiet."""
    code = sample.name.split("-", 1)[0]
    return code.startswith("PIN3") or rule(code).severity is Severity.NOTE


class Invalid:
    """The files in samples/invalid, recipes included."""

    def __init__(self, pinroute: Pinroute, folder: Path):
        self.pinroute = pinroute
        self.folder = folder

    def compile(self, sample: Path) -> Result:
        """Compile a file as it is, or what its recipe makes in a folder of its own."""
        if not sample.name.endswith(RECIPE):
            name = sample.relative_to(ROOT).as_posix()
            if not _only_validated(sample):
                return self.pinroute.run("compile", name)
            # The report of `validate` goes to stdout; here it stands where `compile` has it.
            result = self.pinroute.run("validate", name)
            shown = result.out if result.code == 0 else ""
            return Result(result.code, shown, result.out + result.err)
        recipe = json.loads(sample.read_text("utf-8"))
        if "files" in recipe:
            return self.with_files(sample, recipe["files"], recipe["command"])
        name = sample.name.removesuffix(RECIPE) + ".yaml"
        if not recipe.get("missing", False):
            lines = "".join(f"{line}\n" for line in recipe.get("before", ()))
            turns = (recipe["repeat"].format(turn) for turn in range(recipe["times"]))
            (self.folder / name).write_text(lines + "".join(turns), "utf-8", newline="")
        try:
            return self.pinroute.run("compile", name, cwd=self.folder)
        finally:
            (self.folder / name).unlink(missing_ok=True)

    def with_files(
        self, sample: Path, files: Mapping[str, Sequence[str]], command: Sequence[str]
    ) -> Result:
        """Run a command in a folder with some files; its report stands where `compile` has it."""
        folder = self.folder / sample.name.removesuffix(RECIPE)
        for name, lines in files.items():
            write_text(folder / name, "".join(f"{line}\n" for line in lines))
        result = self.pinroute.run(*command, cwd=folder)
        shutil.rmtree(folder)
        shown = result.out if result.code == 0 else ""
        return Result(result.code, shown, result.out + result.err)


@pytest.fixture(scope="session")
def invalid(pinroute: Pinroute, tmp_path_factory: pytest.TempPathFactory) -> Invalid:
    return Invalid(pinroute, tmp_path_factory.mktemp("invalid"))


def texts_below(folder: Path) -> dict[str, str]:
    """Return every file below a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


class Golden:
    """Files that hold what has to come out; with `--update-golden` they are rewritten."""

    root = GOLDEN

    def __init__(self, *, update: bool):
        self.update = update

    def check(self, path: Path, text: str) -> None:
        """Compare a text with one file."""
        if self.update:
            write_text(path, text)
        before = texts_below(path.parent).get(path.name) if path.is_file() else None
        self.compare({} if before is None else {path.name: before}, {path.name: text}, path.parent)

    def check_tree(self, folder: Path, files: Mapping[str, str]) -> None:
        """Compare texts by path with all files below a folder: no more, no fewer."""
        if self.update:
            shutil.rmtree(folder, ignore_errors=True)
            for name, text in files.items():
                write_text(folder / name, text)
        self.compare(texts_below(folder), files, folder)

    def compare(self, wanted: Mapping[str, str], seen: Mapping[str, str], folder: Path) -> None:
        """Fail with a unified diff of every file that differs, is missing or is too many."""
        place = folder.relative_to(ROOT).as_posix()
        found: list[str] = []
        for name in sorted({*wanted, *seen}):
            before, after = wanted.get(name), seen.get(name)
            if before == after:
                continue
            found += difflib.unified_diff(
                (before or "").splitlines(keepends=True),
                (after or "").splitlines(keepends=True),
                "/dev/null" if before is None else f"a/{place}/{name}",
                "/dev/null" if after is None else f"b/{place}/{name}",
            )
        if found:
            found.append("if this is what you want: pytest tests/golden --update-golden\n")
            pytest.fail("".join(found), pytrace=False)


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(update=bool(request.config.getoption("--update-golden")))
