"""From items to the rules of a VirtualService, and how minimal rules are put in order."""

import re
from itertools import product
from typing import Any

import pytest

from pinroute.istio.emit import grouped, http_rules, match_items, match_key, string_match
from pinroute.istio.routelist import (
    ANY,
    PRESENT,
    Action,
    Item,
    RouteList,
    Values,
    action,
    first,
    holds,
    table_of_items,
)
from pinroute.spec.model import HashSource
from pinroute.table.universe import Universe

HEADER, CLAIM = HashSource("header", "UserHash"), HashSource("claim", "User.Hash")
BINARY = Universe("01", 4)
ONE, TWO = action({"route": ["one"]}), action({"route": ["two"]})


def item(
    values: Values,
    act: Action = ONE,
    rule: str = "r",
    stat: str | None = None,
    **condition: object,
) -> Item:
    return Item(condition, values, act, "route", rule, "label", stat)


def rules(*items: Item, source: HashSource = HEADER) -> list[dict[str, object]]:
    return http_rules(RouteList(source, BINARY, items))


def test_where_the_hash_is_read() -> None:
    assert match_key(HEADER) == "userhash"
    assert match_key(CLAIM) == "@request.auth.claims.User.Hash"


@pytest.mark.parametrize(
    ("values", "alphabet", "digits", "expected"),
    [
        (Values("prefix", "10"), "01", 4, {"prefix": "10"}),
        (Values("hashes", "10"), "01", 4, {"regex": "10[01]{2}"}),
        (Values("hashes", "101"), "01", 4, {"regex": "101[01]"}),
        (Values("hashes", "1010"), "01", 4, {"exact": "1010"}),
        (Values("hashes"), "01", 4, {"regex": "[01]{4}"}),
        (Values("hashes", "a"), "0123456789abcdef", 16, {"regex": "a[0-9a-f]{15}"}),
        (Values("hashes", "9"), "0123456789", 2, {"regex": "9[0-9]"}),
        (Values("hashes", ".*"), "*.", 3, {"regex": r"\.\*[*.]"}),
        (Values("hashes", "]"), "-\\]^", 3, {"regex": r"\][\-\\\]\^]{2}"}),
    ],
)
def test_a_set_of_values_as_a_match(
    values: Values, alphabet: str, digits: int, expected: dict[str, str]
) -> None:
    universe = Universe(alphabet, digits)
    for source in (HEADER, CLAIM):
        assert string_match(values, universe, source) == expected


def test_presence() -> None:
    assert string_match(PRESENT, BINARY, HEADER) == {}
    (kind,) = string_match(PRESENT, BINARY, CLAIM)
    assert kind == "regex"


@pytest.mark.parametrize("alphabet", ["01", "-\\]^", "*.+?", "()|{", "$/#%", "a-z", "^a", "!~"])
def test_the_expression_takes_the_hashes_and_nothing_else(alphabet: str) -> None:
    characters = "".join(sorted(set(alphabet)))
    universe = Universe(characters, 2)
    for prefix in ("", characters[0], characters[-1], characters[:2]):
        values = Values("hashes", prefix)
        ((kind, text),) = string_match(values, universe, HEADER).items()
        for length in range(4):
            for chars in product(characters + "mM\n", repeat=length):
                value = "".join(chars)
                seen = value == text if kind == "exact" else bool(re.fullmatch(text, value))
                sound = length == 2 and set(value) <= set(characters)
                assert seen == (sound and value.startswith(prefix)), (text, value)
                assert holds(values, universe, value) == seen


def test_items_of_one_rule_stand_together() -> None:
    found = rules(
        item(Values("prefix", "1")),
        item(Values("prefix", "01")),
        item(Values("prefix", "00"), TWO),
        item(Values("prefix", "0"), TWO, "s"),
        item(ANY, rule="t"),
    )
    assert found == [
        {
            "name": "r",
            "match": [
                {"headers": {"userhash": {"prefix": "1"}}},
                {"headers": {"userhash": {"prefix": "01"}}},
            ],
            "route": ["one"],
        },
        {"name": "r", "match": [{"headers": {"userhash": {"prefix": "00"}}}], "route": ["two"]},
        {"name": "s", "match": [{"headers": {"userhash": {"prefix": "0"}}}], "route": ["two"]},
        {"name": "t", "route": ["one"]},
    ]
    assert match_items(found) == 5


def test_a_catch_all_joins_nothing() -> None:
    items = (item(Values("prefix", "1"), rule=""), item(ANY, rule=""), item(ANY, rule=""))
    assert [len(rule) for rule in grouped(RouteList(HEADER, BINARY, items))] == [1, 1, 1]
    assert rules(*items)[1] == {"route": ["one"]}
    assert [len(rule) for rule in grouped(RouteList(HEADER, BINARY, items[1::-1]))] == [1, 1]


def test_conditions_and_counters_are_in_every_match() -> None:
    condition: dict[str, Any] = {"uri": {"prefix": "/a"}, "headers": {"x": {"exact": "1"}}}
    one = item(Values("prefix", "1"), stat="s", **condition)
    found = rules(one, item(ANY, rule="t", stat="u", uri={"prefix": "/a"}))
    headers = {"x": {"exact": "1"}, "userhash": {"prefix": "1"}}
    assert found[0]["match"] == [{"uri": {"prefix": "/a"}, "headers": headers, "statPrefix": "s"}]
    assert found[1]["match"] == [{"uri": {"prefix": "/a"}, "statPrefix": "u"}]
    assert condition["headers"] == {"x": {"exact": "1"}}


def test_equal_fields_are_one_outcome() -> None:
    one, two = (
        action({"a": {"b": 1, "c": [2]}, "d": "é"}),
        action({"d": "é", "a": {"c": [2], "b": 1}}),
    )
    assert one.outcome == two.outcome
    assert one.outcome != action({"a": {"b": 1, "c": [3]}, "d": "é"}).outcome


def test_one_line_of_several_is_enough() -> None:
    items = [item(Values("prefix", "1")), item(PRESENT, TWO), item(ANY)]
    assert first(items, BINARY, ["0", "1"]) is items[0]
    assert first(items, BINARY, ["0", "00"]) is items[1]
    assert first(items, BINARY, []) is items[2]
    assert first(items[:1], BINARY, ["0"]) is None


def test_the_table_of_items_ends_with_a_catch_all() -> None:
    items = [item(Values("prefix", "1"), TWO), item(ANY), item(Values("prefix", "0"), TWO)]
    table = table_of_items(items, BINARY)
    assert [table.leaf(value).outcome for value in ("1", "0", "x", None)] == [
        TWO.outcome,
        ONE.outcome,
        ONE.outcome,
        ONE.outcome,
    ]
    with pytest.raises(ValueError, match="catch-all"):
        table_of_items(items[:1], BINARY)
