"""Specs with `mode: splice` on the command line: the owner's file, and every other command."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OWNED = "owners/shop.yaml"


def pinroute(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample, its owner's file as it was before."""
    (tmp_path / "owners").mkdir()
    shutil.copy(ROOT / "samples/splice.yaml", tmp_path)
    shutil.copy(ROOT / "samples" / OWNED, tmp_path / OWNED)
    assert pinroute(tmp_path, "compile", "splice.yaml", "--remove", "--write").returncode == 0
    return tmp_path


def second(folder: Path, name: str = "basket", path: str = "/basket") -> None:
    """Write a second experiment for the same file."""
    text = (folder / "splice.yaml").read_text("utf-8")
    text = text.replace("name: checkout\n", f"name: {name}\n").replace("/checkout}", f"{path}}}")
    (folder / f"{name}.yaml").write_text(text.replace("- name: checkout", f"- name: {name}"))


def names(service: dict[str, Any]) -> list[str]:
    return [rule.get("name", "") for rule in service["spec"]["http"]]


def test_write_check_remove(folder: Path) -> None:
    owned = folder / OWNED
    before = owned.read_bytes()
    assert b"pin/checkout" not in before
    stale = pinroute(folder, "compile", "splice.yaml", "--check")
    assert stale.returncode == 1
    assert stale.stderr == "1 file is stale: run 'pinroute compile --write'\n"
    assert "--- a/owners/shop.yaml\n" in stale.stdout
    assert not [
        line for line in stale.stdout.splitlines() if line.startswith("-") and line[1:2] != "-"
    ]
    assert owned.read_bytes() == before
    owned.chmod(0o640)
    done = pinroute(folder, "compile", "splice.yaml", "--write")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "owners/shop.yaml configured\n"
    assert owned.stat().st_mode & 0o777 == 0o640
    after = owned.read_bytes()
    assert after == (ROOT / "samples" / OWNED).read_bytes()
    for words in (["--write"], ["--check"], ["-d", "out"]):
        again = pinroute(folder, "compile", "splice.yaml", *words)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert sorted(path.name for path in folder.iterdir()) == ["owners", "splice.yaml"]
    gone = pinroute(folder, "compile", "splice.yaml", "--remove", "--check")
    assert gone.stderr == "1 file is stale: run 'pinroute compile --remove --write'\n"
    assert pinroute(folder, "compile", "splice.yaml", "--remove", "--write").returncode == 0
    assert owned.read_bytes() == before


def test_stdout_is_the_whole_object_of_the_owner(folder: Path) -> None:
    owner = list(yaml.safe_load_all((folder / OWNED).read_text("utf-8")))[1]
    printed = pinroute(folder, "compile", "splice.yaml")
    assert printed.returncode == 0
    service = yaml.safe_load(printed.stdout)
    assert service["metadata"] == owner["metadata"], "no label or annotation of pinroute"
    theirs = [r for r in service["spec"]["http"] if not str(r.get("name")).startswith("pin/")]
    assert {**service["spec"], "http": theirs} == owner["spec"]
    assert names(service) == [
        "health",
        *(f"pin/checkout/{label}/checkout" for label in ("control", "treatment", "fallback")),
        "",
        "site",
    ]
    as_json = json.loads(pinroute(folder, "compile", "splice.yaml", "-o", "json").stdout)
    assert as_json == service
    bare = pinroute(folder, "compile", "splice.yaml", "--remove")
    assert yaml.safe_load(bare.stdout) == owner
    assert not bare.stdout.startswith("#")


def test_a_stage_reaches_the_owners_file(folder: Path) -> None:
    assert pinroute(folder, "compile", "splice.yaml", "--write").returncode == 0
    changed = pinroute(folder, "stage", "set", "promote-v2", "-f", "splice.yaml")
    assert changed.returncode == 0, changed.stderr
    assert pinroute(folder, "compile", "splice.yaml", "--check").returncode == 1
    assert pinroute(folder, "compile", "splice.yaml", "--write").returncode == 0
    text = (folder / OWNED).read_text("utf-8")
    assert "# pin/checkout: stage promote-v2 (everybody meets checkout-v2)" in text
    assert text.count("- name: pin/checkout/") == 1
    proof = pinroute(folder, "verify", "-f", "splice.yaml", "--against", "-", stdin=_service(text))
    assert proof.returncode == 0, proof.stderr
    other = pinroute(
        folder, "verify", "-f", "splice.yaml", "--stage", "done", "--against", "-",
        stdin=_service(text),
    )  # fmt: skip
    assert other.returncode == 1


def _service(text: str) -> str:
    return yaml.safe_dump(list(yaml.safe_load_all(text))[1])


@pytest.mark.parametrize("order", [("splice.yaml", "basket.yaml"), ("basket.yaml", "splice.yaml")])
def test_two_experiments_share_a_file(folder: Path, order: tuple[str, str]) -> None:
    second(folder)
    before = (folder / OWNED).read_bytes()
    done = pinroute(folder, "compile", *order, "--write")
    assert (done.returncode, done.stderr) == (0, "owners/shop.yaml configured\n")
    together = (folder / OWNED).read_bytes()
    (folder / OWNED).write_bytes(before)
    for name in order:
        assert pinroute(folder, "compile", name, "--write").returncode == 0
    assert (folder / OWNED).read_bytes() == together
    assert pinroute(folder, "compile", *order, "--check").returncode == 0
    printed = pinroute(folder, "compile", *order)
    [service] = yaml.safe_load_all(printed.stdout)
    assert [name for name in names(service) if name.startswith("pin/")] == [
        f"pin/{name}/{label}/{name}"
        for name in ("basket", "checkout")
        for label in ("control", "treatment", "fallback")
    ]
    assert printed.stdout.count("# Code generated by pinroute from ") == 2
    assert pinroute(folder, "compile", *order, "--remove", "--write").returncode == 0
    assert (folder / OWNED).read_bytes() == before


def test_two_experiments_that_take_the_same_requests(folder: Path) -> None:
    second(folder, "basket", "/check")
    done = pinroute(folder, "compile", "splice.yaml", "basket.yaml", "--write")
    assert done.returncode == 1
    assert "splice.yaml:13:54: error[PIN259] rule 'pin/basket/" in done.stderr
    assert "takes all requests of 'pin/checkout/" in done.stderr
    assert "basket.yaml:13:54: warning[PIN261] rule 'pin/checkout/" in done.stderr


def test_two_names_of_one_file_are_refused(folder: Path) -> None:
    """Each would be written without the rules of the other."""
    second(folder)
    owned, spec = folder / OWNED, folder / "basket.yaml"
    text = owned.read_text("utf-8")
    other = text[text.index("---\n") :].replace("www.", "m.").replace("name: shop", "name: mobile")
    owned.write_text(text + other)
    (folder / "owners/linked.yaml").symlink_to("shop.yaml")
    text = spec.read_text("utf-8").replace("www.", "m.").replace("name: shop", "name: mobile")
    spec.write_text(text)
    assert pinroute(folder, "compile", "splice.yaml", "basket.yaml").returncode == 0
    spec.write_text(text.replace(OWNED, "owners/linked.yaml"))
    before = owned.read_bytes()
    for word in ("--write", "--check"):
        done = pinroute(folder, "compile", "splice.yaml", "basket.yaml", word)
        assert (done.returncode, done.stdout) == (2, "")
        assert "owners/linked.yaml and owners/shop.yaml are one file" in done.stderr
    assert owned.read_bytes() == before


def test_a_byte_order_mark_stays(folder: Path) -> None:
    owned = folder / OWNED
    owned.write_bytes(b"\xef\xbb\xbf" + owned.read_bytes())
    before = owned.read_bytes()
    assert pinroute(folder, "compile", "splice.yaml", "--write").returncode == 0
    assert owned.read_bytes().startswith(b"\xef\xbb\xbf# The shop")
    assert pinroute(folder, "compile", "splice.yaml", "--check").returncode == 0
    assert pinroute(folder, "compile", "splice.yaml", "--remove", "--write").returncode == 0
    assert owned.read_bytes() == before


def test_a_linked_file_is_written_through(folder: Path) -> None:
    owned = folder / OWNED
    owned.rename(folder / "real.yaml")
    owned.symlink_to("../real.yaml")
    assert pinroute(folder, "compile", "splice.yaml", "--write").returncode == 0
    assert owned.is_symlink()
    assert "pin/checkout/control" in (folder / "real.yaml").read_text("utf-8")


def test_a_disk_that_is_full(folder: Path) -> None:
    before = (folder / OWNED).read_bytes()
    words = ["compile", "splice.yaml", "--write"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pinroute", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert (folder / OWNED).read_bytes() == before
    assert [path.name for path in (folder / "owners").iterdir()] == ["shop.yaml"]


def test_the_spec_on_stdin(folder: Path) -> None:
    text = (folder / "splice.yaml").read_text("utf-8")
    assert pinroute(folder, "compile", "-", "--write", stdin=text).returncode == 0
    assert "pin/checkout/control" in (folder / OWNED).read_text("utf-8")


def test_remove_is_for_splice_only(folder: Path) -> None:
    shutil.copy(ROOT / "samples/hex.yaml", folder)
    done = pinroute(folder, "compile", "hex.yaml", "--remove")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--remove takes rules out of the file of another owner" in done.stderr


def test_backends_have_their_own_folder(folder: Path) -> None:
    spec = folder / "splice.yaml"
    text = spec.read_text("utf-8")
    text = text.replace(
        "{host: checkout-v1, port: 80}", "{host: co, port: 80, subset: a, labels: {v: a}}"
    )
    text = text.replace(
        "{host: checkout-v2, port: 80}", "{host: co, port: 80, subset: b, labels: {v: b}}"
    )
    spec.write_text(text)
    done = pinroute(folder, "compile", "splice.yaml", "--write")
    assert done.returncode == 0, done.stderr
    active = folder / "compiled/checkout/active"
    assert sorted(path.name for path in active.iterdir()) == [
        "destinationrule.yaml",
        "kustomization.yaml",
    ]
    kustomization = yaml.safe_load((active / "kustomization.yaml").read_text("utf-8"))
    assert kustomization["resources"] == ["destinationrule.yaml"]
    assert [path.name for path in (folder / "compiled/checkout").iterdir()] == ["active"]
    printed = list(yaml.safe_load_all(pinroute(folder, "compile", "splice.yaml").stdout))
    assert [item["kind"] for item in printed] == ["DestinationRule", "VirtualService"]
    second(folder)
    both = pinroute(folder, "compile", "splice.yaml", "basket.yaml")
    kinds = [item["kind"] for item in yaml.safe_load_all(both.stdout)]
    assert kinds == ["DestinationRule", "DestinationRule", "VirtualService"]
    assert pinroute(folder, "compile", "splice.yaml", "--remove", "--write").returncode == 0
    assert not list(active.rglob("*.yaml"))


def test_every_command_takes_the_spec(folder: Path) -> None:
    assert pinroute(folder, "validate", "splice.yaml").returncode == 0
    looked = pinroute(folder, "lookup", "01000000", "--absent", "-f", "splice.yaml")
    assert "checkout-v2" in looked.stdout
    assert "pin/checkout/treatment/checkout" in looked.stdout
    assert "25.0000%" in pinroute(folder, "simulate", "-f", "splice.yaml").stdout
    listed = pinroute(folder, "stage", "list", "-f", "splice.yaml")
    assert listed.returncode == 0
    assert pinroute(folder, "fmt", "--check", "splice.yaml").returncode in (0, 1)


def test_impact_of_an_experiment_that_is_taken_out(folder: Path) -> None:
    second(folder)
    (folder / "after.yaml").write_text((folder / "basket.yaml").read_text("utf-8"))
    done = pinroute(folder, "impact", "splice.yaml", "after.yaml")
    assert done.returncode == 0, done.stderr
    assert "the owner's rules" in done.stdout
    assert "1 host or path is left to the owner's rules" in done.stdout
    assert "unrouted" not in done.stdout
    assert pinroute(folder, "impact", "splice.yaml", "after.yaml", "--forbid-back").returncode == 1
