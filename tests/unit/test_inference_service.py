"""A model in the place of another one, and a candidate as large as the baseline."""

from __future__ import annotations

from typing import Any

import pytest

from pinroute.platforms.inference_service import scaled_like, with_model

Json = dict[str, Any]
OLD = {"tensorflow": {"storageUri": "gs://a"}}
NEW = {"model": {"modelFormat": {"name": "pytorch"}, "storageUri": "gs://b"}}


@pytest.mark.parametrize(
    ("place", "model", "after"),
    [
        ({}, {"predictor": OLD}, {"predictor": OLD}),
        ({"predictor": OLD}, {"predictor": NEW}, {"predictor": NEW}),
        ({"predictor": NEW}, {"predictor": OLD}, {"predictor": OLD}),
        # The same framework: its own fields are the model's, all of them.
        (
            {"predictor": {"tensorflow": {"storageUri": "gs://x", "runtimeVersion": "1"}}},
            {"predictor": OLD},
            {"predictor": OLD},
        ),
        # What is no model belongs to the place, and its size always does.
        (
            {"predictor": {**OLD, "minReplicas": 3, "serviceAccountName": "s", "timeout": 5}},
            {"predictor": {**NEW, "minReplicas": 1, "maxReplicas": 2, "timeout": 9}},
            {
                "predictor": {
                    **NEW,
                    "minReplicas": 3,
                    "maxReplicas": 2,
                    "timeout": 9,
                    "serviceAccountName": "s",
                }
            },
        ),
        # A split of its own would keep the old model in a place that serves one version.
        (
            {"predictor": {**OLD, "canaryTrafficPercent": 10}},
            {"predictor": {**NEW, "canaryTrafficPercent": 20}},
            {"predictor": NEW},
        ),
        # A transformer goes with its model; an explainer stays unless the model has its own.
        (
            {"predictor": OLD, "transformer": {"containers": ["a"]}, "explainer": {"a": 1}},
            {"predictor": NEW},
            {"predictor": NEW, "explainer": {"a": 1}},
        ),
        (
            {"predictor": OLD, "transformer": {"containers": ["a"], "minReplicas": 4}},
            {"predictor": NEW, "transformer": {"containers": ["b"]}},
            {"predictor": NEW, "transformer": {"containers": ["b"], "minReplicas": 4}},
        ),
        # Nothing that somebody wrote makes a traceback.
        ({"predictor": None}, {"predictor": NEW}, {"predictor": NEW}),
        ({"predictor": [1]}, {"predictor": NEW, "transformer": None}, {"predictor": NEW}),
        ({"predictor": OLD}, {"predictor": [1]}, {"predictor": [1]}),
    ],
)
def test_a_model_in_the_place_of_another_one(place: Json, model: Json, after: Json) -> None:
    assert with_model(place, model) == after


@pytest.mark.parametrize(
    ("own", "like", "uncapped", "after"),
    [
        ({}, {}, True, {}),
        ({}, {"minReplicas": 3}, True, {"minReplicas": 3}),
        ({"minReplicas": 1}, {"minReplicas": 3}, True, {"minReplicas": 3}),
        ({"minReplicas": 5}, {"minReplicas": 3}, True, {"minReplicas": 5}),
        # One is what a platform takes where nothing is said.
        ({"minReplicas": 0}, {}, True, {"minReplicas": 1}),
        ({"minReplicas": 0}, {"minReplicas": 0}, True, {"minReplicas": 0}),
        ({"maxReplicas": 2}, {"maxReplicas": 9}, True, {"maxReplicas": 9}),
        ({"maxReplicas": 9}, {"maxReplicas": 2}, True, {"maxReplicas": 9}),
        ({"maxReplicas": 2}, {}, True, {}),
        ({"maxReplicas": 2}, {}, False, {"maxReplicas": 2}),
        ({"maxReplicas": 2}, {"minReplicas": 4}, False, {"minReplicas": 4, "maxReplicas": 4}),
        ({"maxReplicas": 2}, {"maxReplicas": 0}, True, {}),
        ({"minReplicas": "1"}, {"minReplicas": True}, True, {"minReplicas": "1"}),
    ],
)
def test_a_candidate_as_large_as_the_baseline(
    own: Json, like: Json, uncapped: bool, after: Json
) -> None:
    grown = scaled_like({"predictor": own}, {"predictor": like}, uncapped=uncapped)
    assert grown == {"predictor": after}


def test_components_that_only_one_has_are_left_alone() -> None:
    own = {
        "predictor": {"minReplicas": 1},
        "transformer": {"minReplicas": 1},
        "explainer": {"a": 1},
    }
    like = {"predictor": {"minReplicas": 2}, "explainer": {"minReplicas": 7}}
    assert scaled_like(own, like, uncapped=True) == {**own, "predictor": {"minReplicas": 2}}
