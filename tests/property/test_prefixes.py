"""Overlaps of prefixes, against a comparison of every pair."""

import json
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.compilation import Source, load
from pinroute.diagnostics import Diagnostic

DIGITS = 4
PREFIXES = st.text("01", min_size=1, max_size=DIGITS)
GROUPS = st.lists(st.lists(PREFIXES, min_size=1, max_size=4), min_size=1, max_size=4)


def overlaps(groups: list[list[str]]) -> list[Diagnostic]:
    spec = {
        "route": {"hosts": ["a.com"], "gateways": ["a/b"]},
        "userHash": {"from": {"header": "userhash"}, "digits": DIGITS},
        "versions": [{"name": "v1", "service": {"host": "app", "port": 80}}],
        "baseline": "v1",
        "groups": [
            {"name": f"g{number}", "version": "v1", "prefixes": prefixes}
            for number, prefixes in enumerate(groups)
        ],
    }
    head = {"apiVersion": "pinroute.dev/v1alpha1", "kind": "AffinityExperiment"}
    text = json.dumps({**head, "metadata": {"name": "exp"}, "spec": spec})
    found = load([Source("f", text.encode())]).diagnostics
    return [item for item in found if item.code in ("PIN201", "PIN202")]


def nested(one: str, two: str) -> bool:
    return one.startswith(two) or two.startswith(one)


@given(GROUPS)
@settings(max_examples=settings().max_examples * 5)
def test_an_overlap_is_found_where_there_is_one(groups: list[list[str]]) -> None:
    found = overlaps(groups)
    apart = any(nested(one, two) for a, b in combinations(groups, 2) for one in a for two in b)
    within = any(nested(one, two) for group in groups for one, two in combinations(group, 2))
    assert any(item.code == "PIN201" for item in found) == apart
    if not apart:
        assert any(item.code == "PIN202" for item in found) == within
    if not within:
        assert all(item.code == "PIN201" for item in found)


@given(GROUPS)
def test_a_witness_is_in_both_groups(groups: list[list[str]]) -> None:
    for item in overlaps(groups):
        if item.code == "PIN201":
            _, _, number, _, index = item.path
            own = groups[int(number)][int(index)]
            witness = item.message.split("user ")[1].split(" ")[0]
            assert len(witness) == DIGITS
            assert witness.startswith(own)
            holders = [
                at
                for at, prefixes in enumerate(groups)
                if any(witness.startswith(prefix) for prefix in prefixes)
            ]
            assert len(holders) > 1
            assert int(number) in holders
