"""Which match items are dead: by example, and where it must not be said."""

import pytest

from pinroute.istio.cover import dead_items, takes_everything
from pinroute.istio.read import read_rules
from pinroute.istio.resource import Fields


def _dead(*matches: Fields) -> list[int]:
    """Return the numbers of the rules, one for each match, that are called dead."""
    service = {"spec": {"http": [{"match": [match]} for match in matches]}}
    items = [item for rule in read_rules(service) for item in rule.items]
    return [dead.item.rule for dead in dead_items(items)]


def _hash(**match: str) -> Fields:
    return {"headers": {"userhash": match}}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (_hash(prefix="1"), _hash(prefix="101")),
        (_hash(prefix="1"), _hash(exact="10")),
        (_hash(), _hash(prefix="1")),
        (_hash(regex="1.*"), _hash(exact="10")),
        (_hash(regex=".*"), _hash(prefix="0")),
        (_hash(prefix="1"), {"headers": {"UserHash": {"prefix": "11"}}}),
        (_hash(prefix="1"), {**_hash(prefix="11"), "uri": {"prefix": "/a"}}),
        (
            {**_hash(prefix="1"), "uri": {"prefix": "/a"}},
            {**_hash(prefix="1"), "uri": {"exact": "/a/b"}},
        ),
        (
            {"uri": {"prefix": "/A"}, "ignoreUriCase": True},
            {"uri": {"prefix": "/ab"}, "ignoreUriCase": True},
        ),
        ({"withoutHeaders": {"x": {"prefix": "11"}}}, {"withoutHeaders": {"x": {"prefix": "1"}}}),
    ],
)
def test_the_second_is_dead(first: Fields, second: Fields) -> None:
    assert _dead(first, second) == [1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (_hash(prefix="101"), _hash(prefix="1")),
        (_hash(prefix="1"), _hash(prefix="0")),
        (_hash(exact="1"), _hash(prefix="1")),
        ({**_hash(prefix="1"), "uri": {"prefix": "/a"}}, _hash(prefix="11")),
        ({**_hash(prefix="1"), "port": 80}, _hash(prefix="11")),
        ({**_hash(prefix="1"), "gateways": ["a/b"]}, _hash(prefix="11")),
        ({"withoutHeaders": {"x": {"prefix": "1"}}}, {"withoutHeaders": {"x": {"prefix": "11"}}}),
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/A"}, "ignoreUriCase": True}),
        # Two spellings are two conditions: the first takes only what satisfies both.
        (
            {"headers": {"UserHash": {"regex": ".*"}, "userhash": {"prefix": "1"}}},
            _hash(prefix="0"),
        ),
        (
            {"headers": {"x-b": {"prefix": "1"}, "X-B": {"regex": ".*"}}},
            {"headers": {"x-b": {"prefix": "0"}}},
        ),
    ],
)
def test_the_second_lives(first: Fields, second: Fields) -> None:
    assert _dead(first, second) == []


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"uri": {"prefix": "/"}},
        {"uri": {"regex": ".*"}},
        {"uri": {}},
        {"name": "n"},
        {"headers": {}},
    ],
)
def test_disguised_catch_alls(match: Fields) -> None:
    rules = read_rules({"spec": {"http": [{"match": [match]}]}})
    assert takes_everything(rules[0].items[0])


@pytest.mark.parametrize(
    "match",
    [
        {"uri": {"exact": "/"}},
        {"uri": {"prefix": ""}},
        {"method": {"exact": "GET"}},
        {"headers": {"userhash": {}}},
        {"port": 80},
        {"gateways": ["a/b"]},
    ],
)
def test_what_is_no_catch_all(match: Fields) -> None:
    rules = read_rules({"spec": {"http": [{"match": [match]}]}})
    assert not takes_everything(rules[0].items[0])


def test_a_missing_header_is_not_kept_out_by_excluding_its_presence() -> None:
    """Whoever excludes every value excludes a missing header, too: it counts as empty."""
    every = {"userhash": {"regex": ".*"}}
    present: dict[str, dict[str, str]] = {"userhash": {}}
    matches = [{"withoutHeaders": every}, {"withoutHeaders": present}]
    service = {"spec": {"http": [{"match": [match]} for match in matches]}}
    items = [item for rule in read_rules(service) for item in rule.items]
    assert not list(dead_items(items))
