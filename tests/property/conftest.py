"""Hypothesis: new examples in every run, and a printed seed that repeats a run.

Tests ask for multiples of the profile's `max_examples`, so that `--hypothesis-profile
pinroute-thorough` looks ten times as hard at everything.
"""

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.core
import pytest
import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile(
    "pinroute",
    max_examples=100,
    derandomize=False,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "pinroute-thorough", settings.get_profile("pinroute"), max_examples=1_000
)
settings.load_profile("pinroute")

_shown = False


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of this run, unless --hypothesis-seed names one."""
    if config.getoption("hypothesis_seed", None) is None:
        # All workers of pytest-xdist share the run's name, and so the seed.
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
        seed = int(run, 16) % 2**32 if run else random.SystemRandom().getrandbits(32)
        config.option.hypothesis_seed = str(seed)
        vars(hypothesis.core)["global_force_seed"] = seed


def _seed(config: pytest.Config) -> str:
    return f"properties: repeat this run with --hypothesis-seed={config.option.hypothesis_seed}"


def pytest_report_header(config: pytest.Config) -> str:
    global _shown
    _shown = True
    return _seed(config)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Print the seed where this file is read too late for the header: `pytest` without a path."""
    return [] if _shown else [_seed(config)]


ROOT = Path(__file__).resolve().parents[2]
Draw = Callable[[st.SearchStrategy[Any]], Any]

WORDS = [
    "", " ", "x", "v1", "v2", "group-1", "101", "1e5", "0x1", "on", "~", "null", "true", "-", "*",
    "a.b", "A_b", "a\n", "a\u0000b", "é", "experiment", "promote-v2", "done", "5s", "0.16",
    "binary", "hex", "userhash", "host", "example.com", "%FOO%", "x" * 64, "x" * 300,
]  # fmt: skip
ALIKE: dict[type, st.SearchStrategy[Any]] = {
    str: st.sampled_from(WORDS),
    type(None): st.none(),
    bool: st.booleans(),
    int: st.sampled_from([0, 1, -1, 2, 64, 65, 100, 101, 65535, 65536, 10**20, 2.0, 2.5, 1e2]),
    float: st.sampled_from([0.5, 1.0, 80.0, -0.5, 1e9, 100.5]),
}
SCALARS = st.one_of(*ALIKE.values())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "version", "prefix", "x", ""]), inner, max_size=3
        )
    ),
    max_leaves=4,
)


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Return each (container, key or index) below a node."""
    found: list[tuple[Any, Any]] = []
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for step, item in pairs:
        found.append((node, step))
        if isinstance(item, dict | list):
            found += _places(item)
    return found


def _mutate_once(draw: Draw, root: dict[str, Any]) -> None:
    places = _places(root)
    if not places:
        return
    parent, step = draw(st.sampled_from(places))
    item = parent[step]
    kinds = ["delete", "tweak", "tweak", "copy", "duplicate", "text", "nest", "rename", "replace"]
    kind = draw(st.sampled_from(kinds))
    if kind == "delete":
        del parent[step]
    elif kind == "tweak" and not isinstance(item, dict | list):
        parent[step] = draw(ALIKE[type(item)])
    elif kind == "nest":
        parent[step] = draw(st.sampled_from([[item], {"name": item}, [[item]], {}]))
    elif kind == "copy":
        other, name = draw(st.sampled_from(places))
        if name in other if isinstance(other, dict) else name < len(other):
            parent[step] = copy.deepcopy(other[name])
    elif kind == "duplicate" and isinstance(parent, list):
        parent.insert(step, copy.deepcopy(item))
    elif kind in ("rename", "duplicate") and isinstance(parent, dict):
        names = st.sampled_from([str(name) for _, name in places if isinstance(name, str)])
        name = draw(names | st.sampled_from([f"{step}s", str(step).upper(), "x", "<<"]))
        parent[name] = copy.deepcopy(item) if kind == "duplicate" else parent.pop(step)
    elif kind == "text" and isinstance(item, str):
        tail = draw(st.sampled_from(["\n", " ", "0", "-", ".", "%", "x" * 70]))
        parent[step] = draw(st.sampled_from([item + tail, tail + item, item[1:], item.upper()]))
    else:
        parent[step] = draw(VALUES)


def mutated(draw: Draw, document: dict[str, Any], most: int = 3) -> dict[str, Any]:
    """Return a copy of a document with a few random changes; it stays an object."""
    changed = copy.deepcopy(document)
    for _ in range(
        draw(st.sampled_from([number for number in (1, 1, 0, 2, 3) if number <= most]))
    ):
        _mutate_once(draw, changed)
    return changed


@pytest.fixture(scope="session")
def mutate() -> Callable[..., dict[str, Any]]:
    """The function `mutated`: test modules cannot import each other."""
    return mutated


def _full(schema: dict[str, Any]) -> Any:
    """Return the document that a schema's own examples make: every property, once."""
    if schema.get("properties"):
        return {name: _full(inner) for name, inner in schema["properties"].items()}
    if schema.get("items", {}).get("properties"):
        return [_full(schema["items"])]
    return schema["examples"][0]


@pytest.fixture(scope="session")
def documents() -> list[dict[str, Any]]:
    """Documents of all kinds: every sample, and one with every property there is."""
    found = [
        _full(json.loads((ROOT / "schemas" / f"{kind}.v1alpha1.schema.json").read_bytes()))
        for kind in ("affinityexperiment", "environment", "metric", "configuration")
    ]
    for path in sorted((ROOT / "samples").glob("*.yaml")):
        found += [item for item in yaml.safe_load_all(path.read_text("utf-8")) if item]
    ours = [item for item in found if item["apiVersion"] == "pinroute.dev/v1alpha1"]
    assert len(ours) > 10
    return ours
