"""Who finds what: the table of docs/virtualservices.md, asked of istioctl and of kubectl."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from servers.process import built

if TYPE_CHECKING:
    from servers.cluster import Cluster

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "virtualservices.md"
NOTHING, REFUSED, UNREAD = "–", "refused", "cannot read it"
# What is said of a kind of which a file holds nothing.
LEFT_OUT = {
    "DestinationRule": r"host\+subset in destinationrule not found",
    "Gateway": r"Referenced gateway not found|IST0132",
    "Service": r"Referenced host not found",
}


class Row(NamedTuple):
    """A fault, and what is said about it."""

    fault: str
    code: str
    validate: str
    analyze: str
    apply: str


def _rows() -> list[Row]:
    found = re.findall(r"(?m)^\| (.*) \| (PIN3\d\d) \| (.*) \| (.*) \| (.*) \|$", PAGE.read_text())
    return [Row(*cells) for cells in found]


def _files() -> dict[str, list[Path]]:
    found = defaultdict(list)
    for file in sorted((ROOT / "samples" / "invalid").glob("PIN3*.yaml")):
        found[file.name[:6]].append(file)
    return found


ROWS = _rows()
# Several rows of one code stand in the order of their files.
FILES = [
    _files()[row.code][[one.fault for one in ROWS if one.code == row.code].index(row.fault)]
    for row in ROWS
]
EACH = pytest.mark.parametrize(
    ("row", "file"),
    list(zip(ROWS, FILES, strict=True)),
    ids=[f"{row.code} {row.fault}" for row in ROWS],
)


@pytest.fixture(scope="module")
def istioctl() -> Path:
    return built("istioctl")


def test_every_file_of_the_table_has_a_row() -> None:
    files = _files()
    assert len(ROWS) == sum(len(files[code]) for code in {row.code for row in ROWS}) > 15


@EACH
def test_istioctl_says_what_the_table_says(istioctl: Path, row: Row, file: Path) -> None:
    run = subprocess.run(
        [str(istioctl), "validate", "-f", str(file)], capture_output=True, text=True, check=False
    )
    said = {0: NOTHING, 1: REFUSED}[run.returncode]
    assert "has warnings" not in run.stdout + run.stderr
    assert said == row.validate
    command = [str(istioctl), "analyze", "--use-kube=false", "-A", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    held = set(re.findall(r"(?m)^kind: (\w+)", file.read_text("utf-8")))
    left_out = "|".join(found for kind, found in LEFT_OUT.items() if kind not in held)
    lines = [line for line in run.stdout.splitlines() if not re.search(left_out or "$^", line)]
    codes = sorted(set(re.findall(r"\[(IST\d+)\]", "\n".join(lines))))
    unread = run.returncode == 65
    assert (UNREAD if unread else ", ".join(codes) or NOTHING) == row.analyze


@EACH
def test_kubectl_says_what_the_table_says(cluster: "Cluster", row: Row, file: Path) -> None:
    named = re.findall(r"namespace: ([\w-]+)", file.read_text("utf-8"))
    cluster.namespace(*sorted(set(named)))
    taken = []
    for side in ("false", "true"):
        words = ("apply", f"--server-side={side}", "--dry-run=server", "-f", str(file))
        taken.append(cluster.kubectl(*words, check=False).returncode == 0)
    said = {
        (True, True): NOTHING,
        (False, False): REFUSED,
        (True, False): "refused with `--server-side`",
    }
    assert said[taken[0], taken[1]] == row.apply
