"""Commands on specs with buckets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from pinroute.spec.schema import load_schema

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "buckets.yaml"
USERS = ["000000000001", "000001100000", "111111111111", "011111111111", "010000000000", "0", "x"]

Json = dict[str, Any]


def pinroute(*words: str, stdin: str = "", code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        input=stdin,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def without(tmp_path: Path) -> str:
    text = SAMPLE.read_text("utf-8").replace("  buckets: 128\n", "")
    (tmp_path / "search.yaml").write_text(text, "utf-8")
    return str(tmp_path / "search.yaml")


def test_lookup_tells_the_bucket() -> None:
    found: Json = json.loads(
        pinroute("lookup", *USERS, "-f", str(SAMPLE), "-o", "json", "--absent")
    )
    Draft202012Validator(load_schema("cli/lookup")).validate(found)
    assert [(item["group"], item.get("bucket")) for item in found["items"]] == [
        ("treatment", 0),
        ("treatment", 3),
        ("control", 127),
        ("internal-users", None),
        ("unassigned", None),
        ("unassigned", None),
        ("unassigned", None),
        ("no-hash", None),
    ]
    text = pinroute("lookup", *USERS, "-f", str(SAMPLE)).splitlines()
    assert text[0].split() == ["VALUE", "VERSION", "GROUP", "BUCKET", "RULE", "DESTINATION", "WHY"]
    assert text[2].split()[:4] == ["000001100000", "semantic", "treatment", "3"]
    assert text[4].split()[:4] == ["011111111111", "semantic", "internal-users", "-"]


def test_lookup_of_many_has_a_column_for_the_bucket(tmp_path: Path) -> None:
    lines = pinroute("lookup", "--hashes", "-", "-f", str(SAMPLE), stdin="\n".join(USERS))
    assert [line.split("\t")[1:] for line in lines.splitlines()[:4]] == [
        ["semantic", "treatment", "0"],
        ["semantic", "treatment", "3"],
        ["keyword", "control", "127"],
        ["semantic", "internal-users", ""],
    ]
    lines = pinroute("lookup", "--hashes", "-", "-f", without(tmp_path), stdin=USERS[0])
    assert lines == f"{USERS[0]}\tsemantic\ttreatment\n"


def test_simulate_adds_buckets_up_to_groups(tmp_path: Path) -> None:
    found: Json = json.loads(pinroute("simulate", "-f", str(SAMPLE), "-n", "5000", "-o", "json"))
    Draft202012Validator(load_schema("cli/simulation")).validate(found)
    plain: Json = json.loads(
        pinroute("simulate", "-f", without(tmp_path), "-n", "5000", "-o", "json")
    )
    rows = found["experiments"][0]["groups"]
    assert [row.get("buckets") for row in rows] == [32, 32, None, None]
    for row in rows:
        row.pop("buckets", None)
    assert found == plain


def test_buckets_move_nobody(tmp_path: Path) -> None:
    for stage in ("observe", "ramp-12.5", "ramp-25", "experiment"):
        words = ["--old-stage", stage, "--new-stage", stage]
        assert pinroute("impact", without(tmp_path), str(SAMPLE), *words) == "nobody moves\n"


def test_impact_counts_users_not_buckets() -> None:
    found: Json = json.loads(
        pinroute("impact", str(SAMPLE), str(SAMPLE), "--old-stage", "ramp-12.5", "-o", "json")
    )
    (change,) = found["moves"]
    assert (change["from"], change["to"]) == ("keyword", "semantic")
    assert change["prefixes"] == ["001"]


def test_a_virtual_service_with_buckets_is_proved(tmp_path: Path) -> None:
    manifest = pinroute("compile", str(SAMPLE))
    said = pinroute("verify", "-f", str(SAMPLE), "--against", "-", stdin=manifest)
    assert "does what the spec promises" in said
    # The one without buckets does the same, for every user.
    plain = pinroute("compile", without(tmp_path))
    assert "does what" in pinroute("verify", "-f", str(SAMPLE), "--against", "-", stdin=plain)
    assert pinroute("validate", "-", stdin=manifest) == ""


def test_fmt_and_stages(tmp_path: Path) -> None:
    file = tmp_path / "search.yaml"
    file.write_bytes(SAMPLE.read_bytes())
    pinroute("fmt", "--check", str(file))
    pinroute("stage", "set", "experiment", "-f", str(file))
    assert file.read_text("utf-8") == SAMPLE.read_text("utf-8").replace("ramp-25", "experiment")


def test_buckets_in_the_file_of_another_owner(tmp_path: Path) -> None:
    (tmp_path / "owners").mkdir()
    samples = ROOT / "samples"
    owner = tmp_path / "owners" / "shop.yaml"
    owner.write_bytes((samples / "owners" / "shop.yaml").read_bytes())
    text = (samples / "splice.yaml").read_text("utf-8")
    (tmp_path / "splice.yaml").write_text(f"{text}  buckets: 64\n", "utf-8")
    pinroute("compile", str(tmp_path / "splice.yaml"), "--write")
    pinroute("compile", str(tmp_path / "splice.yaml"), "--check")
    (service,) = [
        one
        for one in yaml.safe_load_all(owner.read_text("utf-8"))
        if one["kind"] == "VirtualService"
    ]
    prefixes = [
        item.get("statPrefix", "")
        for rule in service["spec"]["http"]
        for item in rule.get("match", [])
    ]
    assert sum("_b0" in prefix for prefix in prefixes) == 32
    pinroute("compile", str(tmp_path / "splice.yaml"), "--remove", "--write")
    assert "pin_" not in owner.read_text("utf-8")


def test_buckets_of_a_delegate(tmp_path: Path) -> None:
    text = (ROOT / "samples" / "delegate.yaml").read_text("utf-8")
    (tmp_path / "delegate.yaml").write_text(f"{text}  buckets: 64\n", "utf-8")
    assert "_b0" in pinroute("compile", str(tmp_path / "delegate.yaml"))
