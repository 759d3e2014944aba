"""Files that several processes read: the same bytes as from one, and no process left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from pinroute.cli.exits import Interrupted
from pinroute.cli.processes import processors, spread

ROOT = Path(__file__).parents[2]

# pinroute on a machine of so many processors, on which a few bytes are worth a process.
# FORKS names a file that gets a byte for each process; EXTRA is run before.
DRIVER = """
import os, sys, time
from pinroute.cli import beforehand, main, processes
beforehand.WORTH, beforehand.SHARE = 1, 1
processes.processors = lambda: int(os.environ["PROCESSORS"])
first, fork = os.getpid(), os.fork
def forked():
    with open(os.environ["FORKS"], "a") as file:
        file.write(".")
    return fork()
os.fork = forked
exec(os.environ.get("EXTRA", ""))
sys.argv[0] = "pinroute"
main()
"""

OPEN = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop-{number}, namespace: default, creationTimestamp: "2026-01-0{number}"}}
spec:
  hosts: [shop.example.com, "own-{number}.example.com"]
  gateways: [istio-system/public]
  http:
  - match:
    - headers:
        userhash: {{prefix: "10"}}
    - headers: {{userhash: {{prefix: "101"}}}}  # pinroute: ignore[PIN301] {reason}
    route:
    - destination: {{host: shop, subset: v{number}}}
  - match: [{{headers: {{"@request.auth.claims.group": {{exact: a}}}}}}]
    delegate: {{name: part, namespace: teams}}
"""
OTHERS = """\
apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1
  kind: VirtualService
  metadata: {name: part, namespace: teams}
  spec:
    http:
    - match: [{uri: {prefix: /a}}]
      route: [{destination: {host: a.teams.svc.cluster.local}}]
    - route: [{destination: {host: b.teams.svc.cluster.local}}]
- apiVersion: networking.istio.io/v1
  kind: Gateway
  metadata: {name: public, namespace: istio-system}
  spec: {servers: [{hosts: ["*/shop.example.com"]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: default}
spec:
  host: shop
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: userhash}}}
  subsets: [{name: v1, labels: {app: shop}}, {name: v2, labels: {app: shop, track: b}}]
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {ports: [{port: 80}, {port: 81}]}
"""
CONFIGURATION = """\
apiVersion: pinroute.dev/v1alpha1
kind: Configuration
severities:
- {paths: ["invalid/"], codes: [PIN301, PIN302], severity: note, reason: samples}
- {codes: [PIN317], severity: error, reason: one owner a host}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with everything that a run can meet, and with cross-file faults."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / ".git").mkdir()
    for name in ("invalid", "virtualservices", "owners", "manifests"):
        shutil.copytree(ROOT / "samples" / name, folder / name)
    for file in (ROOT / "samples").glob("*.yaml"):
        shutil.copy(file, folder)
    for number in range(1, 8):
        text = OPEN.format(number=number, reason="on purpose" if number % 2 else "")
        (folder / f"shop-{number}.yaml").write_text(text, "utf-8")
    (folder / "others.yaml").write_text(OTHERS, "utf-8")
    (folder / "broken.yaml").write_text("kind: VirtualService\nspec: [\n", "utf-8")
    (folder / "utf16.yaml").write_bytes("kind: VirtualService".encode("utf-16"))
    (folder / "mark.yaml").write_bytes(b"\xef\xbb\xbf" + OPEN.format(number=8, reason="").encode())
    (folder / "tab.yaml").write_text("kind:\n\tVirtualService\n", "utf-8")
    (folder / "empty.yaml").write_text("# nothing\n", "utf-8")
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    wrong = OPEN.format(number=9, reason="").replace("hosts: [", "hosts: {a: [") + "    }\n"
    (folder / "wrong.yaml").write_text(wrong, "utf-8")
    return folder


class Run:
    def __init__(self, folder: Path, processors: int, words: list[str], extra: str = ""):
        self.forks = folder.parent / f"forks-{folder.name}"
        self.forks.unlink(missing_ok=True)
        environment = {
            **{name: text for name, text in os.environ.items() if "COLOR" not in name},
            "PROCESSORS": str(processors),
            "FORKS": str(self.forks),
            "EXTRA": extra,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def result(self, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        out, err = self.process.communicate(stdin, 60)
        return self.process.returncode, out, err

    def forked(self) -> int:
        return len(self.forks.read_text()) if self.forks.exists() else 0

    def left(self) -> bool:
        """Tell whether a process of the run is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def same(folder: Path, *words: str, stdin: bytes = b"", extra: str = "") -> tuple[int, bytes]:
    """Run with one process and with several, and return the exit code and stdout of all."""
    once = Run(folder, 1, ["validate", *words], extra)
    expected = once.result(stdin)
    assert once.forked() == 0
    for number in (2, 5):
        several = Run(folder, number, ["validate", *words], extra)
        assert several.result(stdin) == expected
        assert several.forked() == number - 1
        assert not several.left()
    return expected[0], expected[1]


@pytest.mark.parametrize("output", ["text", "json", "github", "sarif"])
@pytest.mark.parametrize("more", [[], ["--complete", "--fail-on", "note"]])
def test_the_report_is_the_same(folder: Path, output: str, more: list[str]) -> None:
    code, out = same(folder, "-R", ".", "-o", output, *more)
    assert code == 2  # some files cannot be read
    for name in ("PIN001", "PIN009", "PIN013", "PIN101", "PIN317", "PIN319", "PIN320", "PIN325"):
        assert name.encode() in out


def test_files_that_can_be_read(folder: Path) -> None:
    code, out = same(
        folder, "-o", "json", "virtualservices", "others.yaml", "tutorial.yaml", "shop-2.yaml"
    )
    assert code == 1
    assert json.loads(out)["diagnostics"]


def test_a_configuration_and_stdin(folder: Path) -> None:
    (folder / "pinroute.txt").write_text(CONFIGURATION, "utf-8")
    stdin = OPEN.format(number=6, reason="").encode()
    _, out = same(folder, "-R", ".", "-", "--config", "pinroute.txt", stdin=stdin)
    assert b"<stdin>:" in out
    assert b" error[PIN317]" in out
    assert b" note[PIN301]" in out


def test_a_baseline(folder: Path) -> None:
    files = [f"shop-{number}.yaml" for number in range(1, 8)]
    written = []
    for number in (1, 4):
        file = folder.parent / f"baseline-{number}.json"
        words = ["validate", *files[:5], "others.yaml", "--write-baseline", str(file)]
        code, _, said = Run(folder, number, words).result()
        assert code == 0, said
        written.append(file.read_bytes())
    assert written[0] == written[1]
    known = str(folder.parent / "baseline-4.json")
    _, hidden = same(folder, *files, "others.yaml", "--baseline", known)
    _, shown = same(folder, *files, "others.yaml", "--baseline", known, "--show-hidden")
    assert shown.count(b"(in the baseline)") > 5
    assert b"(in the baseline)" not in hidden
    assert len(hidden) < len(shown)


def test_an_exception_is_the_same(folder: Path) -> None:
    extra = """
look = beforehand.alone
def alone(document, known=None):
    if document.file.endswith(("shop-5.yaml", "shop-3.yaml")):
        raise ZeroDivisionError(document.file)
    return look(document, known)
from pinroute.checks import registry
beforehand.alone = registry.alone = alone
"""
    code, out = same(folder, *(f"shop-{number}.yaml" for number in range(1, 8)), extra=extra)
    assert (code, out) == (70, b"")


def test_no_process_can_be_had(folder: Path) -> None:
    extra = """
def refused():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = refused
"""
    words = ["validate", "-R", ".", "-o", "json"]
    assert Run(folder, 3, words, extra).result() == Run(folder, 1, words).result()


KILLED = """
looks = beforehand._looks
def dying(sources, shares, numbers):
    if os.getpid() != first:
        next(numbers)
        os.kill(os.getpid(), 9)
    time.sleep(0.5)  # the other one gets its share
    return looks(sources, shares, numbers)
beforehand._looks = dying
"""


def test_a_process_that_is_killed_is_no_silence(folder: Path) -> None:
    run = Run(folder, 3, ["validate", "-R", "."], KILLED)
    said = b"interrupted: a process that read some of the files was ended by signal 9\n"
    assert run.result() == (130, b"", said)
    assert not run.left()


SLOW = """
def slow(sources, shares, numbers):
    for _ in numbers:
        time.sleep(0.2)
    time.sleep(60 if os.getpid() == first else 0)
beforehand._looks = slow
"""


@pytest.mark.parametrize("whole_group", [False, True])
def test_an_interrupt_ends_all(folder: Path, whole_group: bool) -> None:
    run = Run(folder, 3, ["validate", "-R", "."], SLOW)
    _wait(lambda: run.forked() == 2)
    (os.killpg if whole_group else os.kill)(run.process.pid, signal.SIGINT)
    assert run.result() == (130, b"", b"interrupted\n")
    assert not run.left()


def test_nobody_works_for_a_process_that_is_gone(folder: Path) -> None:
    run = Run(folder, 3, ["validate", "-R", "."], SLOW)
    _wait(lambda: run.forked() == 2)
    run.process.kill()
    assert run.result() == (-signal.SIGKILL, b"", b"")
    _wait(lambda: not run.left())


def _wait(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not done():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_every_share_is_worked_at_once() -> None:
    def work(numbers: Iterator[int]) -> list[int]:
        found = []
        for number in numbers:
            found.append(number)
            time.sleep(0.005)
        return found

    own, others = spread(work, 200, 3)
    assert len(others) == 2
    assert all(len(found) > 10 for found in (own, *others))
    assert sorted([*own, *others[0], *others[1]]) == list(range(200))


def test_an_answer_may_be_large() -> None:
    own, others = spread(lambda numbers: [b"x" * 5_000_000 for _ in numbers], 8, 3)
    assert sum(len(found) for found in (own, *others)) == 8


def test_what_cannot_be_sent_is_told() -> None:
    def work(numbers: Iterator[int]) -> list[object]:
        return [Event(), *numbers]

    with pytest.raises(Interrupted, match="ended with code 1"):
        spread(work, 4, 2)


def test_threads_keep_a_run_in_one_process() -> None:
    stop = Event()
    thread = Thread(target=stop.wait)
    thread.start()
    try:
        assert processors() == 1
    finally:
        stop.set()
        thread.join()


def test_one_file_is_read_by_one_process(folder: Path) -> None:
    run = Run(folder, 4, ["validate", "shop-1.yaml"])
    assert run.result()[0] == 0
    assert run.forked() == 0
