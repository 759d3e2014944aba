"""The pages about clusters: their transcripts are run, in their order, on a real API server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pinroute.cluster.rights import rights_of
from servers.objects import GATEWAY, documents, service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.cluster import Cluster

ROOT = Path(__file__).parents[2]
NAMESPACE = "shop"


def plain(text: str) -> str:
    """Return a transcript without what differs from run to run."""
    text = re.sub(r"https://[\d.]+:\d+ answers: Kubernetes \S+", "SERVER", text)
    return re.sub(r"(?m) +\d+s$", " AGE", text)


@pytest.fixture
def environment(cluster: Cluster) -> Iterator[dict[str, str]]:
    """The namespace of the pages, with backends: what pinroute and kubectl need to work in it."""
    cluster.namespace(NAMESPACE)
    objects = [GATEWAY]
    objects += [service(NAMESPACE, name, port=8080) for name in ("checkout-v1", "checkout-v2")]
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=documents(*objects))
    yield {
        **os.environ,
        **cluster.environment,
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    cluster.kubectl("delete", "virtualservice", "--all", "-n", NAMESPACE)


def check(page: str, number: int, environment: dict[str, str]) -> None:
    """Run the transcripts of a page in their order, and compare what is printed."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"```console\n\$ ([^\n]*)\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == number
    for call, shown in blocks:
        done = subprocess.run(
            shlex.split(call),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert plain(done.stdout) == plain(shown), call


def test_the_transcripts_of_apply_are_real(environment: dict[str, str]) -> None:
    check("apply.md", 7, environment)


def test_the_transcripts_of_status_are_real(environment: dict[str, str]) -> None:
    applied = ["pinroute", "apply", "-f", "samples/plain-services.yaml"]
    subprocess.run(applied, cwd=ROOT, env=environment, check=True, capture_output=True)
    check("status.md", 6, environment)


def test_the_table_of_rights_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "rbac.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    verbs: dict[str, set[str]] = {}
    for row in rows:
        for use in re.findall(r"`(\w+)`", row[0]):
            found = set(re.findall(r"\b(get|list|watch|create|patch|delete)\b", row[1]))
            if "as `apply`" in row[1] or "the same" in row[1]:
                found |= verbs["apply"]
            verbs[use] = found
    assert set(verbs) == {
        "status",
        "verify",
        "doctor",
        "diff",
        "apply",
        "prune",
        "delete",
        "promote",
    }
    for use, shown in verbs.items():
        granted = [one for one in rights_of(use) if one.resource == "virtualservices"]
        assert {verb for one in granted for verb in one.verbs} == shown, use


def test_the_message_of_the_page_is_what_is_said(cluster: Cluster) -> None:
    """Names and places apart."""
    page = (ROOT / "docs" / "rbac.md").read_text("utf-8")
    [shown] = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    role = subprocess.run(
        [sys.executable, "-m", "pinroute", "rbac", "--for", "apply", "-n", NAMESPACE],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rules = yaml.safe_load(role)["rules"]
    for rule in rules:
        if rule["resources"] == ["virtualservices"]:
            rule["verbs"].remove("patch")
    cluster.namespace(NAMESPACE)
    user = cluster.user("no-patch", NAMESPACE, rules)
    words = ("apply", "-f", "samples/plain-services.yaml", "--allow-unready")
    ran = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **user.environment, "NO_COLOR": "1"},
    )
    assert ran.returncode == 3
    said = ran.stderr.replace(
        "system:serviceaccount:shop:no-patch", "system:serviceaccount:ci:deployer"
    )
    assert shown in said
