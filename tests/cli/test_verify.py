"""`pinroute verify` on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pinroute.spec.schema import load_schema

ROOT = Path(__file__).parents[2]
RULE = "tests/golden/tutorial/routing-rule.yaml"
SPEC = "samples/tutorial.yaml"


def _verify(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinroute", "verify", *words],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_tutorials_own_rule_does_what_the_spec_promises() -> None:
    done = _verify("-f", SPEC, "--against", RULE)
    assert done.returncode == 0, done.stderr
    assert "1,024 user hashes" in done.stdout


def test_an_edited_rule_is_found_with_a_witness() -> None:
    edited = (ROOT / RULE).read_text("utf-8").replace('"101"', '"1011"')
    done = _verify("-f", SPEC, "--against", "-", "-o", "json", stdin=edited)
    assert done.returncode == 1
    shown: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(load_schema("cli/verification")).validate(shown)
    difference = shown["differences"][0]
    assert difference["value"].startswith("1010")
    assert difference["promised"]["version"] == "flowers-v2"
    assert difference["found"]["version"] == "flowers-v1"


def test_another_order_of_disjoint_rules_is_fine() -> None:
    first = "samples/plain-services.yaml"
    compiled = subprocess.run(
        [sys.executable, "-m", "pinroute", "compile", first, "-o", "json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    service = json.loads(compiled.stdout)
    http = service["spec"]["http"]
    service["spec"]["http"] = [http[1], http[0], http[2]]
    assert _verify("-f", first, "--against", "-", stdin=json.dumps(service)).returncode == 0


def test_mistakes() -> None:
    for words, said in (
        (("-f", SPEC, "--against", "samples/hex.yaml"), "holds 0 VirtualServices"),
        (("-f", SPEC, "--against", "nowhere.yaml"), "PIN009"),
        (("-f", SPEC, "--against", RULE, "--stage", "promote-v9"), "no stage"),
        (("-f", "samples/several-experiments.yaml", "--against", RULE), "--experiment"),
        (("-f", "samples/hex.yaml", "--against", RULE), "none of the hosts"),
    ):
        done = _verify(*words)
        assert done.returncode == 2, (words, done.stdout)
        assert said in done.stderr
        assert done.stdout == ""
