"""The pages of docs/ for operators: their YAML parses, their shell lines do what they say."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

if TYPE_CHECKING:
    from .conftest import Pages

PAGES = (
    "user-hash.md",
    "gitops.md",
    "emergency.md",
    "splice.md",
    "verify.md",
    "configuration.md",
    "promotion.md",
    "buckets.md",
    "statistics.md",
)

Json = dict[str, Any]


def rule(place: str, version: str) -> Json:
    host = f"flowers-predictor-default.{place}"
    return {
        "route": [
            {
                "destination": {"host": f"{host}.svc.cluster.local"},
                "headers": {
                    "request": {"set": {"Host": host}},
                    "response": {"set": {"version": version}},
                },
            }
        ]
    }


BASELINE = rule("ns-baseline", "flowers-v1")
CANDIDATE = {
    "match": [{"headers": {"userhash": {"prefix": "101"}}}],
    **rule("ns-candidate", "flowers-v2"),
}


def tutorial(*rules: Json) -> Json:
    """The tutorial's VirtualService with these rules."""
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "VirtualService",
        "metadata": {"name": "routing-rule", "namespace": "default"},
        "spec": {
            "gateways": ["knative-serving/knative-ingress-gateway"],
            "hosts": ["example.com"],
            "http": list(rules),
        },
    }


class TestFailedError(Exception):
    """The `test` operation of a JSON patch did not hold."""

    __test__ = False


def json_patch(document: Json, operations: list[Json]) -> Json:
    """Apply the operations `test` and `replace` of RFC 6902."""
    document = copy.deepcopy(document)
    for operation in operations:
        *parents, last = operation["path"].removeprefix("/").split("/")
        here: Any = document
        for step in parents:
            here = here[int(step)] if isinstance(here, list) else here[step]
        key: Any = int(last) if isinstance(here, list) else last
        if operation["op"] == "test":
            if here[key] != operation["value"]:
                raise TestFailedError(operation["path"])
        else:
            assert operation["op"] == "replace"
            assert key in here
            here[key] = operation["value"]
    return document


def patches(pages: Pages, kind: str) -> list[Any]:
    """Return the patches of `kubectl patch … --type=KIND -p '…'` on the emergency page."""
    text = "".join(block.text for block in pages.blocks("emergency.md", "sh"))
    return [json.loads(body) for body in re.findall(rf"--type={kind} -p '([^']*)'", text)]


def test_the_first_patch_sends_everybody_to_the_baseline(pages: Pages) -> None:
    everybody, _ = patches(pages, "json")
    assert json_patch(tutorial(CANDIDATE, BASELINE), everybody) == tutorial(BASELINE)


def test_the_second_patch_changes_one_destination(pages: Pages) -> None:
    _, one = patches(pages, "json")
    other = {"match": [{"uri": {"prefix": "/docs"}}], "route": [{"destination": {"host": "docs"}}]}
    done = json_patch(tutorial(CANDIDATE, other, BASELINE), one)
    assert done == tutorial({**CANDIDATE, **BASELINE}, other, BASELINE)


def test_the_second_patch_stops_at_another_rule(pages: Pages) -> None:
    _, one = patches(pages, "json")
    with pytest.raises(TestFailedError):
        json_patch(tutorial(BASELINE, CANDIDATE), one)


def test_the_merge_patches_stop_and_resume_gitops(pages: Pages) -> None:
    assert patches(pages, "merge") == [
        {"spec": {"suspend": True}},
        {"spec": {"syncPolicy": {"automated": None}}},
        {"spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}}},
    ]


@pytest.mark.parametrize("page", PAGES)
def test_yaml_blocks_parse(page: str, pages: Pages) -> None:
    for block in pages.blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("page", PAGES)
def test_shell_blocks_are_shell(page: str, pages: Pages) -> None:
    for block in pages.blocks(page, "sh"):
        done = subprocess.run(
            ["bash", "-n"], input=block.text, encoding="utf-8", capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), block.text


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str, pages: Pages) -> None:
    folder = pages.root / "docs"
    text = (folder / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = folder / (file or page)
        assert linked.is_file(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def test_the_page_about_splicing_shows_the_sample(pages: Pages) -> None:
    spec, owned = [block.text for block in pages.blocks("splice.md", "yaml")]
    samples = pages.root / "samples"
    assert spec in (samples / "splice.yaml").read_text(encoding="utf-8")
    assert owned in (samples / "owners" / "shop.yaml").read_text(encoding="utf-8")


def test_only_active_is_synced(pages: Pages) -> None:
    blocks = [yaml.safe_load(block.text) for block in pages.blocks("gitops.md", "yaml")]
    by_kind = {block["apiVersion"].split("/")[0]: block for block in blocks if "kind" in block}
    flux = by_kind["kustomize.toolkit.fluxcd.io"]["spec"]
    argo = by_kind["argoproj.io"]["spec"]
    assert flux["path"].removeprefix("./") == argo["source"]["path"]
    assert argo["source"]["path"].endswith("/compiled/session-affinity-exp/active")
    assert flux["prune"] is True
    assert flux["commonMetadata"]["annotations"] == {
        "kustomize.toolkit.fluxcd.io/prune": "disabled"
    }
    protection = argo["source"]["kustomize"]["commonAnnotations"]
    assert "Prune=false" in protection["argocd.argoproj.io/sync-options"].split(",")


def test_the_table_of_inputs_is_that_of_the_action(pages: Pages) -> None:
    text = (pages.root / "docs" / "gitops.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \| .* \| (?:`(.*)` )?\|$", text, re.MULTILINE)
    action = yaml.safe_load((pages.root / "action.yml").read_text(encoding="utf-8"))
    assert dict(listed) == {name: about["default"] for name, about in action["inputs"].items()}


# --- .pre-commit-hooks.yaml -----------------------------------------------------------------


def hooks(pages: Pages) -> dict[str, Json]:
    text = (pages.root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    return {hook["id"]: hook for hook in cast("list[Json]", yaml.safe_load(text))}


def test_the_hooks(pages: Pages) -> None:
    found = hooks(pages)
    assert {name: hook["entry"] for name, hook in found.items()} == {
        "pinroute-validate": "pinroute validate",
        "pinroute-compile": "pinroute compile --write",
        "pinroute-fmt": "pinroute fmt",
        "pinroute-impact": "pinroute impact --since HEAD",
    }
    for hook in found.values():
        assert (hook["language"], hook["types"]) == ("python", ["yaml"])
        assert hook["description"]
    assert found["pinroute-compile"]["require_serial"] is True
    [config] = [
        block for block in pages.blocks("gitops.md", "yaml") if block.text.startswith("repos:")
    ]
    [repo] = yaml.safe_load(config.text)["repos"]
    assert sorted(hook["id"] for hook in repo["hooks"]) == sorted(found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("experiments/flowers.yaml", True),
        ("experiments/team/flowers.yml", True),
        ("clusters/prod/experiments/flowers.yaml", True),
        ("experiments/uncompiled/flowers.yaml", True),
        ("experiments/compiled.yaml", True),
        ("experiments/compiled/session-affinity-exp/active/virtualservice.yaml", False),
        ("experiments/team/compiled/session-affinity-exp/stages/promote-v2.yaml", False),
        ("experiments/notes.md", False),
        ("my-experiments/flowers.yaml", False),
        ("flowers.yaml", False),
    ],
)
def test_which_files_the_hooks_see(path: str, expected: bool, pages: Pages) -> None:
    for hook in hooks(pages).values():
        seen = re.search(hook["files"], path) and not re.search(hook["exclude"], path)
        assert bool(seen) == expected, hook["id"]


def test_the_licence_is_whole(pages: Pages) -> None:
    text = (pages.root / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert all(f"\n   {number}. " in text for number in range(1, 10))
    assert "APPENDIX: How to apply the Apache License to your work." in text
    assert text.endswith("limitations under the License.\n")
