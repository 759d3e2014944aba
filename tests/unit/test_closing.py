"""The end of an experiment in the user's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinroute.closing import Closed, closed
from pinroute.compilation import Checked, Source, load
from pinroute.edit import CannotEdit
from pinroute.stages.plan import close_plan, moves, start_of
from pinroute.stages.stage import build_stage

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = """\
# Ours, and it stays.
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp, namespace: ml}
spec:
  stage: promote-v2   # since Monday
  environment: {kserve: {version: "0.16"}}
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, digits: 4}
  versions:
  - name: red
    inferenceService: RED
  - name: blue
    inferenceService: BLUE
  baseline: red       # the one of before
  groups:
  - {name: control, version: red, prefixes: ["1"]}   # half of them
  - {name: treatment, version: blue, prefixes: ["00"]}
  fallback: {noHash: red}
"""
AFTER = """\
# Ours, and it stays.
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp, namespace: ml}
spec:
  stage: done   # since Monday
  environment: {kserve: {version: "0.16"}}
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, digits: 4}
  versions:
  - name: red
    inferenceService: RED
  - name: blue
    inferenceService: BLUE
  baseline: blue       # the one of before
  groups:
  - {name: control, version: blue, prefixes: ["1"]}   # half of them
  - {name: treatment, version: blue, prefixes: ["00"]}
  fallback: {noHash: blue}
"""
MANIFEST = """\
# Of the PLACE team.
apiVersion: v1
kind: Secret
metadata: {name: m, namespace: PLACE}
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: m
  namespace: PLACE
spec:
  predictor:
    minReplicas: SIZE
    sklearn:
      storageUri: gs://MODEL   # the model
"""


def checked(red: str, blue: str, files: Mapping[str, str] | None = None) -> Checked:
    return read(SPEC.replace("RED", red).replace("BLUE", blue), files or {})


def read(text: str, files: Mapping[str, str]) -> Checked:
    result = load([Source("exp.yaml", text.encode(), lambda name: files[name].encode())])
    assert [item for item in result.diagnostics if item.severity.value == "error"] == []
    return result.experiments[0]


def with_places(red: str, blue: str) -> str:
    return AFTER.replace("RED", red).replace("BLUE", blue)


def promises(found: Checked, after: Checked) -> None:
    """What the closed spec routes is what was routed, under the same version."""
    experiment = found.spec.experiment
    start = start_of(experiment, "promote-v2", found.manifests)
    new = after.spec.experiment
    plan = close_plan(new, after.manifests, start, "blue has won")
    assert not any(moves(plan.start, plan.end).values())
    before = build_stage(experiment, "promote-v2", found.manifests).routes
    assert [item.action for item in build_stage(new, "done", {}).routes.items] == [
        item.action for item in before.items
    ]


def close(found: Checked) -> Closed:
    return closed(found, found.spec.experiment.version("blue"))


def test_after_a_copy_the_versions_exchange_their_places() -> None:
    found = checked(
        "{name: m, namespace: base, predictor: {sklearn: {u: r}, minReplicas: 3, tolerations: [1]}}",
        "{name: k, namespace: cand, predictor: {sklearn: {u: b}, minReplicas: 1}}",
    )
    after = close(found)
    assert after.manifests == {}
    assert after.text == with_places(
        "{name: k, namespace: cand, predictor: {sklearn: {u: r}, minReplicas: 3, tolerations: [1]}}",
        "{name: m, namespace: base, predictor: "
        "{tolerations: [1], sklearn: {u: b}, minReplicas: 3}}",
    )
    promises(found, read(after.text, {}))


def test_a_namespace_that_was_left_out_is_written() -> None:
    found = checked("{name: m, predictor: {a: 1}}", "{name: k, namespace: c, predictor: {b: 1}}")
    after = close(found)
    assert "inferenceService: {name: k, namespace: c, predictor: {a: 1}}" in after.text
    promises(found, read(after.text, {}))


def manifests() -> dict[str, str]:
    return {
        "red.yaml": MANIFEST.replace("PLACE", "base").replace("MODEL", "r").replace("SIZE", "3"),
        "blue.yaml": MANIFEST.replace("PLACE", "cand").replace("MODEL", "b").replace("SIZE", "1"),
    }


def test_manifests_exchange_their_models_and_keep_their_size() -> None:
    files = manifests()
    found = checked(
        "{name: m, namespace: base, manifest: red.yaml}",
        "{name: m, namespace: cand, manifest: blue.yaml}",
        files,
    )
    after = close(found)
    assert after.text == with_places(
        "{name: m, namespace: cand, manifest: blue.yaml}",
        "{name: m, namespace: base, manifest: red.yaml}",
    )
    assert after.manifests == {
        "red.yaml": files["red.yaml"].replace("gs://r", "'gs://b'"),
        "blue.yaml": files["blue.yaml"].replace("gs://b", "'gs://r'"),
    }
    promises(found, read(after.text, after.manifests))


def test_two_manifests_in_one_file() -> None:
    files = {"both.yaml": "---\n".join(manifests().values())}
    found = checked(
        "{name: m, namespace: base, manifest: both.yaml}",
        "{name: m, namespace: cand, manifest: both.yaml}",
        files,
    )
    after = close(found)
    text = files["both.yaml"]
    swapped = text.replace("gs://r", "'gs://X'").replace("gs://b", "'gs://r'").replace("X", "b")
    assert after.manifests == {"both.yaml": swapped}
    promises(found, read(after.text, after.manifests))


def test_services_stay_where_they_are() -> None:
    text = SPEC.replace("inferenceService: RED", "service: {host: r}")
    found = read(text.replace("inferenceService: BLUE", "service: {host: b}"), {})
    after = close(found)
    expected = AFTER.replace("inferenceService: RED", "service: {host: r}")
    assert after.text == expected.replace("inferenceService: BLUE", "service: {host: b}")
    promises(found, read(after.text, {}))


def test_the_baseline_may_win() -> None:
    found = checked(
        "{name: m, namespace: base, predictor: {sklearn: {u: r}}}",
        "{name: m, namespace: cand, predictor: {sklearn: {u: b}}}",
    )
    text = closed(found, found.spec.experiment.version("red")).text
    assert text == found.spec.document.text.replace("stage: promote-v2", "stage: done").replace(
        "treatment, version: blue", "treatment, version: red"
    )


def test_closing_twice_changes_nothing() -> None:
    found = checked("{name: m, predictor: {a: 1}}", "{name: k, namespace: c, predictor: {b: 1}}")
    once = read(close(found).text, {})
    assert close(once) == Closed(once.spec.document.text, {})


@pytest.mark.parametrize(
    ("red", "blue", "problem"),
    [
        ("{name: m, manifest: red.yaml, namespace: base}", "{name: k, predictor: {b: 1}}", "same"),
        ("{name: m, predictor: {a: 1}, service: s}", "{name: k, predictor: {b: 1}}", "'service'"),
        ("&a {name: m, predictor: {a: 1}}", "{<<: *a, name: k}", "alias"),
    ],
)
def test_what_cannot_be_edited_is_said(red: str, blue: str, problem: str) -> None:
    with pytest.raises(CannotEdit, match=problem):
        close(checked(red, blue, manifests()))


def test_models_that_differ_in_kind_are_edited_by_hand() -> None:
    files = manifests()
    files["blue.yaml"] = files["blue.yaml"].replace("sklearn", "xgboost")
    found = checked(
        "{name: m, namespace: base, manifest: red.yaml}",
        "{name: m, namespace: cand, manifest: blue.yaml}",
        files,
    )
    with pytest.raises(CannotEdit, match=r"spec\.predictor\.sklearn"):
        close(found)
