"""`pinroute verify` on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pinroute.spec.schema import load_schema

ROOT = Path(__file__).parents[2]
RULE = "tests/golden/tutorial/routing-rule.yaml"
SPEC = "samples/tutorial.yaml"
URL = "http://127.0.0.1:1"


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "http://u:s3cret@h"), "no user or password in the URL"),
        (("--against", "http://h/path"), "the URL ends after host and port"),
        (("--against", "http://h:99999"), "the URL is malformed"),
        (("--against", "http://"), "names no host and port"),
        (("--against", "http://[::1"), "the URL is malformed"),
        (("--against", URL, "--host", "other.example.com"), "none of the spec's hosts"),
        (("--against", URL, "--resolve", "127.0.0.1:2:127.0.0.1"), "and the URL about"),
        (("--against", URL, "--resolve", "nonsense"), "takes HOST:PORT:ADDRESS"),
        (("--against", URL, "--cacert", "ca.pem"), "are for https:// URLs"),
        (("--against", "https://h", "--cacert", "nowhere"), "--cacert nowhere: No such file"),
        (("--against", "https://h", "--cacert", "README.md"), "holds no certificates"),
        (
            ("--against", "https://h", "--cacert", "x", "--insecure-skip-tls-verify"),
            "contradict each other",
        ),
        (("--against", URL, "-H", "s3cret"), "header 1 is not 'name: value'"),
        (("--against", URL, "-H", "a: s3cret\x07"), "has a control character"),
        (("--against", URL, "-H", "Host: s3cret"), "choose it with --host"),
        (("--against", URL, "-H", "X-User-Hash: 1"), "the routes look at 'X-User-Hash'"),
        (("--against", URL, "-H", "@/dev/zero"), "/dev/zero is larger than 1 MiB"),
        (("--against", URL, "-H", "@nowhere"), "cannot read the headers in nowhere"),
        (("--against", URL, "--max-requests", "0"), "--max-requests"),
        (("--against", URL, "--timeout", "0"), "--timeout"),
        (("--against", URL, "--timeout", "nan"), "take numbers"),
        (("--against", URL, "--rate", "nan"), "take numbers"),
        (("--against", "envoy", "--rate", "1"), "--rate is about requests to a URL"),
        (("--against", "some.yaml", "--joined"), "--joined is about requests"),
    ],
)
def test_requests_that_cannot_be_asked_for(words: tuple[str, ...], said: str) -> None:
    done = _verify("-f", "samples/plain-services.yaml", *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr
    assert "s3cret" not in done.stderr


def test_a_live_gateway_cannot_be_asked_about_claims() -> None:
    done = _verify("-f", "samples/jwt-claim.yaml", "--against", URL)
    assert (done.returncode, done.stdout) == (2, "")
    assert "tokens that its issuer has signed" in done.stderr
