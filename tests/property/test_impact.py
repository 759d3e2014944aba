"""What a change does to users, against looking at every user hash there is.

Two levels: tables against tables, and compiled specs against the plainest reading of
their groups.
"""

import json
from collections import defaultdict
from collections.abc import Hashable, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.change.impact import impact_of
from pinroute.change.impact import returns as returns_of
from pinroute.change.model import Change, Incomparable, moved
from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.table.difference import outcome_of
from pinroute.table.history import comebacks
from pinroute.table.impact import Move, impact
from pinroute.table.table import Block, Leaf, Table, table_of, table_of_prefixes
from pinroute.table.universe import Universe

Json = dict[str, Any]


def changes(old: Sequence[Compiled], new: Sequence[Compiled]) -> list[Change]:
    return list(impact_of(old, new).changes)


def returns(states: Sequence[Compiled]) -> list[Change]:
    return list(returns_of(states).changes)


MORE = settings().max_examples * 3
WORLDS = [
    Universe("01", 5),
    Universe("abc", 3),
    Universe("0123", 2),
    Universe("0123456789abcdef", 1),
    Universe("0123456789", 2),
]


@cache
def words(alphabet: str, length: int) -> list[str]:
    return ["".join(chars) for chars in product(alphabet, repeat=length)]


def inside(universe: Universe, prefix: str) -> list[str]:
    return [prefix + tail for tail in words(universe.alphabet, universe.digits - len(prefix))]


def fewest(universe: Universe, users: set[str], prefix: str = "") -> int:
    """Return the number of largest blocks that lie wholly among some users."""
    block = inside(universe, prefix)
    here = users.intersection(block)
    if len(here) in (0, len(block)):
        return int(bool(here))
    return sum(fewest(universe, users, prefix + char) for char in universe.alphabet)


# --- Tables --------------------------------------------------------------------------------------


@st.composite
def tables(draw: st.DrawFn, universe: Universe) -> Table:
    count = draw(st.integers(1, 4))
    leaves = [
        Leaf(draw(st.sampled_from(["red", "green", "blue"])), f"part {n}") for n in range(count)
    ]
    leaf = st.integers(0, count - 1)
    prefix = st.text(universe.alphabet, max_size=universe.digits)
    if draw(st.booleans()):
        found = draw(st.dictionaries(prefix, leaf, max_size=8))
        return table_of_prefixes(universe, leaves, draw(leaf), draw(leaf), found)
    blocks = st.tuples(st.builds(Block, prefix, st.booleans()), leaf)
    items = draw(st.lists(blocks, max_size=6))
    return table_of(universe, leaves, draw(leaf), draw(leaf), items)


@st.composite
def sequences(draw: st.DrawFn, least: int, most: int) -> list[Table]:
    universe = draw(st.sampled_from(WORLDS))
    return [draw(tables(universe)) for _ in range(draw(st.integers(least, most)))]


def check(moves: Sequence[Move], table: Table, expected: dict[Any, set[str]]) -> None:
    """Compare moves with the users who make them, by (before, after)."""
    universe = table.universe
    assert {(move.before, move.after) for move in moves} == set(expected)
    assert len(moves) == len(expected)
    assert all(one.share >= two.share for one, two in pairwise(moves))
    for move in moves:
        users = expected[move.before, move.after]
        prefixes = move.prefixes(universe)
        named = [value for prefix in prefixes for value in inside(universe, prefix)]
        assert len(named) == len(set(named))
        assert set(named) == users
        assert len(prefixes) == fewest(universe, users)
        assert move.share == Fraction(len(users), universe.size)
        assert move.witness == min(users)
        assert all(one.end < two.start for one, two in pairwise(move.ranges))


@given(sequences(2, 2))
@settings(max_examples=MORE)
def test_impact_is_what_every_user_says(pair: list[Table]) -> None:
    old, new = pair
    for by in (outcome_of, lambda leaf: leaf.attribution):
        expected: dict[tuple[Hashable, Hashable], set[str]] = defaultdict(set)
        for value in old.universe.values():
            before, after = by(old.leaf(value)), by(new.leaf(value))
            if before != after:
                expected[before, after].add(value)
        found = impact(old, new, by)
        check(found, new, expected)
        whole = sum(len(users) for users in expected.values())
        assert sum(move.share for move in found) == Fraction(whole, old.universe.size)
        # The way back moves the same users.
        back = {(move.after, move.before): move.ranges for move in impact(new, old, by)}
        assert back == {(move.before, move.after): move.ranges for move in found}


@given(sequences(1, 1))
def test_a_table_moves_nobody_to_itself(found: list[Table]) -> None:
    assert impact(found[0], found[0]) == []
    assert comebacks([found[0]] * 3, outcome_of) == []


def test_two_universes_are_refused() -> None:
    one, two = (table_of(Universe("01", digits), [Leaf("a", "a")], 0, 0, []) for digits in (3, 4))
    with pytest.raises(ValueError, match="two universes"):
        impact(one, two)


@given(sequences(1, 5))
@settings(max_examples=MORE)
def test_comebacks_are_what_every_user_says(found: list[Table]) -> None:
    expected: dict[tuple[Hashable, Hashable], set[str]] = defaultdict(set)
    for value in found[0].universe.values():
        met = [table.leaf(value).outcome for table in found]
        for now in range(1, len(met)):
            left = met[now - 1]
            if met[now] != left and met[now] in met[: now - 1]:
                expected[left, met[now]].add(value)
    check(comebacks(found, outcome_of), found[0], expected)


# --- Specs ---------------------------------------------------------------------------------------

VERSIONS = ["v1", "v2", "v3"]


class State(NamedTuple):
    """A spec as its groups say it: which version a user hash meets, read prefix by prefix."""

    digits: int
    groups: tuple[tuple[str, tuple[str, ...]], ...]  # (version, prefixes)
    unassigned: str
    no_hash: str

    def meets(self, value: str | None) -> str:
        if value is None:
            return self.no_hash
        for version, prefixes in self.groups:
            if value.startswith(prefixes):
                return version
        return self.unassigned

    def spec(self, **more: Any) -> Json:
        return {
            "apiVersion": "pinroute.dev/v1alpha1",
            "kind": "AffinityExperiment",
            "metadata": {"name": "shop"},
            "spec": {
                "route": {"hosts": ["shop.example.com"], "gateways": ["istio-system/public"]},
                "userHash": {"from": {"header": "userhash"}, "digits": self.digits},
                "versions": [
                    {"name": name, "service": {"host": f"shop-{name}", "port": 80}}
                    for name in VERSIONS
                ],
                "baseline": "v1",
                "groups": [
                    {"name": f"g{number}", "version": version, "prefixes": list(prefixes)}
                    for number, (version, prefixes) in enumerate(self.groups)
                ],
                "fallback": {"unassigned": self.unassigned, "noHash": self.no_hash},
                **more,
            },
        }


def compiled(body: Json) -> Compiled:
    found = compile_specs([Source("shop.yaml", json.dumps(body).encode())])
    assert not found.failed, found.diagnostics
    return found.experiments[0]


@st.composite
def states(draw: st.DrawFn, digits: st.SearchStrategy[int]) -> State:
    length = draw(digits)
    heads = draw(st.sets(st.text("01", min_size=1, max_size=min(4, length)), max_size=6))
    apart = [
        head
        for head in sorted(heads)
        if not any(head != other and head.startswith(other) for other in heads)
    ]
    version = st.sampled_from(VERSIONS)
    cut = draw(st.integers(0, len(apart)))
    parts = [tuple(part) for part in (apart[:cut], apart[cut:]) if part]
    groups = tuple((draw(version), part) for part in parts)
    return State(length, groups, draw(version), draw(version))


def expected_changes(old: State, new: State) -> dict[tuple[str, str], set[str]]:
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for value in words("01", max(old.digits, new.digits)):
        before, after = old.meets(value), new.meets(value)
        if before != after:
            users[before, after].add(value)
    return users


def check_changes(found: Sequence[Change], digits: int, users: dict[Any, set[str]]) -> None:
    universe = Universe("01", digits)
    assert {(change.before, change.after): change.share for change in found} == {
        pair: Fraction(len(some), universe.size) for pair, some in users.items()
    }
    for change in found:
        some = users[change.before, change.after]
        named = {value for prefix in change.prefixes for value in inside(universe, prefix)}
        assert named == some
        assert len(change.prefixes) == fewest(universe, some)
        assert change.witness in some
        assert (change.experiment, change.host, change.route) == ("shop", "shop.example.com", "")


DIGITS = st.integers(3, 6)


@given(states(DIGITS), states(DIGITS), st.booleans())
@settings(max_examples=MORE)
def test_changes_of_specs_are_what_every_user_says(old: State, new: State, strict: bool) -> None:
    """Also where the number of digits has changed: more digits tell users apart more finely."""
    hash_ = {"from": {"header": "userhash"}, "strict": strict and old.digits == new.digits}
    before, after = (
        compiled(state.spec(userHash={**hash_, "digits": state.digits})) for state in (old, new)
    )
    found = changes([before], [after])
    hashes = [change for change in found if change.witness != "<absent>"]
    check_changes(hashes, max(old.digits, new.digits), expected_changes(old, new))
    for change in found:
        assert change.back == (change.after == "v1")
    absent = [(c.before, c.after, c.share, c.prefixes) for c in found if c.witness == "<absent>"]
    one, two = old.meets(None), new.meets(None)
    assert absent == ([] if one == two else [(one, two, Fraction(0), ())])
    assert moved(found) == sum(change.share for change in hashes)


@given(st.lists(states(DIGITS), min_size=1, max_size=5))
@settings(max_examples=MORE)
def test_returns_are_what_every_user_says(history: list[State]) -> None:
    digits = max(state.digits for state in history)
    expected: dict[tuple[str, str], set[str]] = defaultdict(set)
    for value in words("01", digits):
        met = [state.meets(value) for state in history]
        for now in range(1, len(met)):
            if met[now] != met[now - 1] and met[now] in met[: now - 1]:
                expected[met[now - 1], met[now]].add(value)
    found = returns([compiled(state.spec()) for state in history])
    check_changes(found, digits, expected)
    assert all(change.back for change in found)


BINARY = State(4, (("v2", ("01",)),), "v1", "v1")


def hashed(**fields: Any) -> Json:
    """Return the state's spec with another user hash; its prefixes are no part of it."""
    return {**BINARY.spec(userHash={"from": {"header": "userhash"}, "digits": 4, **fields})}


@pytest.mark.parametrize(
    "other",
    [
        {"alphabet": "hex"},
        {"alphabet": "01x"},
        {"from": {"header": "other"}},
        {"strict": True, "digits": 5},
    ],
)
def test_another_user_hash_cannot_be_compared(other: Json) -> None:
    one, two = compiled(hashed()), compiled(hashed(**other))
    for old, new in ((one, two), (two, one)):
        with pytest.raises(Incomparable):
            changes([old], [new])


def test_a_header_has_no_case() -> None:
    one, two = compiled(hashed()), compiled(hashed(**{"from": {"header": "UserHash"}}))
    assert changes([one], [two]) == []


def test_a_history_begins_with_the_last_change_of_the_user_hash() -> None:
    """v2, v1, v2 for users in 01: the first of them were users of another alphabet."""
    away = State(4, (("v1", ("01",)),), "v1", "v1").spec()
    back, hex_ = compiled(hashed()), compiled(hashed(alphabet="hex"))
    assert [change.prefixes for change in returns([back, compiled(away), back])] == [("01",)]
    assert returns([hex_, compiled(away), back]) == []
    assert returns([back, hex_, compiled(away), back]) == []
    assert returns([hex_, back, compiled(away), back]) != []


# --- Routes and hosts ----------------------------------------------------------------------------


def routed(
    http: list[Json], hosts: Sequence[str] = ("a.example.com", "b.example.com")
) -> Compiled:
    body = BINARY.spec()
    body["spec"]["route"] = {
        "hosts": list(hosts), "gateways": ["istio-system/public"], "http": http
    }  # fmt: skip
    return compiled(body)


PREDICT = {"name": "predict", "match": [{"uri": {"prefix": "/predict"}}]}
EXPLAIN = {"name": "explain", "match": [{"uri": {"prefix": "/explain"}}]}
REST = {"name": "rest", "raw": {"route": [{"destination": {"host": "web"}}]}}


def told(found: Sequence[Change]) -> list[tuple[str, str, str, str, Fraction]]:
    return [
        (change.host, change.route, change.before, change.after, change.share) for change in found
    ]


def test_a_lost_host_is_everybody_of_it() -> None:
    old, new = routed([PREDICT, REST]), routed([PREDICT, REST], ["B.example.com"])
    lost = changes([old], [new])
    assert told(lost) == [("a.example.com", "", "routed", "unrouted", Fraction(1))]
    assert lost[0].witness == "0000"
    assert moved(lost) == 1
    assert changes([new], [old]) == []
    elsewhere = routed([PREDICT, REST], ["c.example.com"])
    assert [change.host for change in changes([old], [elsewhere])] == [
        "a.example.com",
        "b.example.com",
    ]


def test_an_experiment_that_is_gone_takes_its_hosts_along() -> None:
    old = routed([PREDICT])
    assert told(changes([old], [])) == [
        ("a.example.com", "", "routed", "unrouted", Fraction(1)),
        ("b.example.com", "", "routed", "unrouted", Fraction(1)),
    ]
    assert changes([], [old]) == []


def test_a_lost_path_is_unrouted() -> None:
    old, new = routed([PREDICT, EXPLAIN]), routed([PREDICT])
    assert told(changes([old], [new])) == [
        ("a.example.com", "explain", "routed", "unrouted", Fraction(1))
    ]


def test_one_of_two_paths_of_a_route_is_lost() -> None:
    both = {"name": "predict", "match": [*PREDICT["match"], *EXPLAIN["match"]]}
    assert told(changes([routed([both])], [routed([PREDICT])])) == [
        ("a.example.com", "predict", "routed", "unrouted", Fraction(1))
    ]
    swapped = {"name": "predict", "match": [*EXPLAIN["match"], *PREDICT["match"]]}
    assert changes([routed([both])], [routed([swapped])]) == []
    assert changes([routed([both])], [routed([EXPLAIN, PREDICT])]) == []


def test_a_path_that_takes_no_part_any_more() -> None:
    old, new = routed([PREDICT, REST]), routed([REST])
    found = changes([old], [new])
    assert told(found) == [("a.example.com", "predict", "routed", "route rest", Fraction(1))]
    assert moved(found) == 1
    assert changes([old], [old]) == []


def test_moves_are_counted_by_route() -> None:
    """Half of the users of one path and a quarter of another: a half, not three quarters."""
    old = routed([PREDICT, EXPLAIN])
    more = State(4, (("v2", ("01", "11", "00")),), "v1", "v1").spec()
    more["spec"]["route"] = {
        "hosts": ["a.example.com"],
        "gateways": ["istio-system/public"],
        "http": [PREDICT, EXPLAIN],
    }
    found = changes([old], [compiled(more)])
    shares = {change.route: change.share for change in found if change.route}
    assert shares == {"predict": Fraction(1, 2), "explain": Fraction(1, 2)}
    kept = [change for change in found if change.route]
    assert moved(kept) == Fraction(1, 2)
