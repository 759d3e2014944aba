"""validate, lookup and stick on VirtualServices that pinroute did not write."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CANARY = "samples/virtualservices/flagger-canary.yaml"
TUTORIAL = "tests/golden/tutorial/routing-rule.yaml"


def _run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_tutorials_own_rule_is_read() -> None:
    done = _run("lookup", "1010101010", "1111100000", "--absent", "-f", TUTORIAL, "-o", "json")
    assert done.returncode == 0, done.stderr
    versions = [item["version"] for item in json.loads(done.stdout)["items"]]
    assert versions == ["flowers-v2", "flowers-v1", "flowers-v1"]


def test_validate_leaves_a_good_one_alone_and_tells_that_weights_are_not_sticky() -> None:
    assert _run("validate", TUTORIAL).stdout == ""
    done = _run("validate", CANARY)
    assert done.returncode == 0
    assert "note[PIN310]" in done.stdout


def test_findings_of_virtual_services_can_be_ignored_with_a_reason() -> None:
    text = (ROOT / "samples/invalid/PIN309-no-default-route.yaml").read_text("utf-8")
    marked = text.replace(
        "  - match:", "  # pinroute: ignore[PIN309] the rest is another team's\n  - match:"
    )
    assert _run("validate", "-", stdin=marked).stdout == ""


def test_stick_pipes_into_kubectl() -> None:
    done = _run("stick", CANARY, "--header", "UserHash")
    assert done.returncode == 0
    service = yaml.safe_load(done.stdout)
    assert service["metadata"] == {"name": "podinfo", "namespace": "test"}
    assert "9.9609%" in done.stderr
    looked = _run("lookup", "0001111111", "1010101010", "-f", "-", stdin=done.stdout)
    assert "podinfo-canary" in looked.stdout.splitlines()[1]
    assert "podinfo-primary" in looked.stdout.splitlines()[2]


def test_each_match_is_shown_to_live_or_why_it_does_not() -> None:
    done = _run("lookup", "--each-match", "-f", "samples/invalid/PIN301-dead-match.yaml")
    assert done.returncode == 0, done.stderr
    assert "never: userhash prefix '1' of treatment takes all" in done.stdout
    assert done.stdout.count("GET /") == 2
    assert _run("lookup", "1", "--each-match", "-f", TUTORIAL).returncode == 2
    assert _run("lookup", "--each-match", "-f", "samples/plain-services.yaml").returncode == 2


def test_a_delegate_that_is_not_there_is_told() -> None:
    text = (ROOT / "samples/virtualservices/delegates.yaml").read_text("utf-8")
    root = text.split("---")[0]
    done = _run("lookup", "1", "--path", "/checkout", "-f", "-", stdin=root)
    assert done.returncode == 0
    assert "delegate payments/checkout is not in the files: its rule is left out" in done.stderr
    assert "front.web.svc.cluster.local" in done.stdout


def test_what_is_no_virtual_service_is_not_looked_into() -> None:
    head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\n"
    for spec, said in (
        ("spec: {hosts: 5, http: []}", "spec.hosts"),
        ("spec: {hosts: [a.com], http: [{delegate: 3}]}", "spec.http[0].delegate"),
        ("spec: {hosts: [a.com], http: [null]}", "spec.http[0]"),
        ("spec: {hosts: [a.com], http: [{match: {a: b}}]}", "spec.http[0].match"),
    ):
        for words in (["1"], ["--each-match"]):
            done = _run("lookup", *words, "-f", "-", stdin=head + spec)
            assert done.returncode == 2, done.stdout
            assert said in done.stderr
            assert "bug" not in done.stderr


def test_mistakes() -> None:
    for words, said in (
        (("stick", CANARY, "--header", "user hash"), "character ' ' is not allowed"),
        (("stick", "samples/tutorial.yaml", "--header", "userhash"), "holds no VirtualService"),
        (("stick", TUTORIAL, "--header", "userhash"), "no rule draws"),
        (("stick", "nowhere.yaml", "--header", "userhash"), "PIN009"),
        (("lookup", "1", "--hashes", "x", "-f", TUTORIAL), "stands alone"),
    ):
        done = _run(*words)
        assert done.returncode == 2, words
        assert said in done.stderr
        assert done.stdout == ""
