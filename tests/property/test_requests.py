"""Every kind of requests that conditions tell apart is found: against all requests of a small world."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.istio.conditions import Conditions
from pinroute.istio.evaluate import Call, satisfied
from pinroute.istio.regex import full_match
from pinroute.istio.requests import kinds
from pinroute.istio.specimen import specimen

Json = dict[str, Any]

HOSTS = ["a.example.com", "b.example.com"]
GATEWAYS = ["istio-system/public", "mesh"]
TEXTS = ["/", "/a", "/a/", "/a/b", "/ab", "/b"]
PATHS = [*TEXTS, "/c", "/a/c", "/a/bc", "/abc"]
TEAMS = ["r", "red", "redder"]


def string(texts: list[str]) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda kind, text: {kind: text},
        st.sampled_from(["exact", "prefix"]),
        st.sampled_from(texts),
    )


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "uri": string(TEXTS),
        "method": string(["GET", "POST"]),
        "authority": string(HOSTS),
        "headers": st.fixed_dictionaries(
            {}, optional={"x-team": st.one_of(st.just({}), string(TEAMS))}
        ),
        "gateways": st.sampled_from([GATEWAYS[:1], GATEWAYS[1:], ["other/one"]]),
    },
)


WORLD = [
    Call(host, path, method, headers={} if team is None else {"x-team": (team,)}, gateway=gateway)
    for host, path, method, team, gateway in product(
        HOSTS,
        PATHS,
        ["GET", "POST", "PUT"],
        [None, *TEAMS, "rx", "redx", "redderx", "x"],
        GATEWAYS,
    )
]


@given(st.lists(CONDITIONS, max_size=4))
@settings(deadline=None)
def test_every_kind_of_a_small_world_is_found(conditions: list[Json]) -> None:
    found = kinds(conditions, HOSTS, GATEWAYS)
    assert not found.cut
    assert found.unmet == ()
    seen = {
        frozenset(
            number for number, condition in enumerate(conditions) if satisfied(condition, call)
        )
        for call in WORLD
    }
    assert {kind.held for kind in found.found} >= seen
    assert len({kind.held for kind in found.found}) == len(found.found)
    for call, held in found.found:
        assert held == {n for n, condition in enumerate(conditions) if satisfied(condition, call)}
        assert call.host in HOSTS
        assert call.gateway in GATEWAYS


@given(st.lists(CONDITIONS, max_size=12), st.sampled_from(WORLD))
def test_the_index_knows_what_holds(conditions: list[Json], call: Call) -> None:
    held = Conditions(conditions).held_by(call)
    assert held == {n for n, condition in enumerate(conditions) if satisfied(condition, call)}


@pytest.mark.parametrize(
    "regex",
    [
        "/v[0-9]+/models/.*",
        "/(a|b)/?c",
        "/items/[^/]+/reviews",
        "(?i)/abc",
        "/x{3,5}\\.html",
        "^/a$",
        "[A-Za-z0-9-]+\\.example\\.com",
        "/(?:one|two)+",
        "(?P<v>v\\d)",
        "*",
        "\\w+@\\S*",
        "/users/\\d{2}",
        "[^a]b",
    ],
)
def test_a_specimen_of_what_people_write(regex: str) -> None:
    text = specimen(regex)
    assert text is not None
    assert regex == "*" or full_match(regex, text)


@given(st.text("ab/.*+?()[]{}|\\^$-0,1d", max_size=12))
def test_no_regex_breaks_the_reader(regex: str) -> None:
    text = specimen(regex)
    assert text is None or regex == "*" or full_match(regex, text)


def test_a_condition_without_a_known_request_is_told() -> None:
    odd = "\\pN\\pL"  # a digit and a letter of any script
    found = kinds([{"uri": {"regex": odd}}, {"uri": {"prefix": "/a"}}], HOSTS, GATEWAYS)
    assert found.unmet == (0,)


def test_exclusions_ports_parameters_and_callers() -> None:
    conditions: list[Json] = [
        {"withoutHeaders": {"x-bot": {}}},
        {"withoutHeaders": {"x-bot": {"prefix": "cra"}}},
        {"port": 443},
        {"queryParams": {"debug": {"exact": "1"}}},
        {"sourceLabels": {"app": "web"}},
        {"sourceNamespace": "shop", "scheme": {"exact": "https"}},
        {"uri": {"prefix": "/Docs"}, "ignoreUriCase": True},
        {"headers": {":method": {"exact": "PUT"}}},
    ]
    found = kinds(conditions, HOSTS[:1], GATEWAYS[:1])
    assert not found.cut
    held = {kind.held for kind in found.found}
    everything = frozenset(range(len(conditions)))
    assert everything in held
    for number in everything:
        assert any(number in one for one in held)
        assert any(number not in one for one in held)
    assert frozenset({1}) in held  # a bot of another name
    assert frozenset() in held


def test_many_paths_are_asked_one_by_one_and_no_pairs_are_tried() -> None:
    paths: list[Json] = [{"uri": {"exact": f"/p{number}"}} for number in range(3000)]
    teams: list[Json] = [{"headers": {"x-team": {"exact": text}}} for text in TEAMS]
    found = kinds([*paths, *teams], HOSTS, GATEWAYS)
    assert not found.cut
    assert len(found.found) == (3000 + 1) * (len(teams) + 1)


@pytest.mark.parametrize("uri", [{}, {"uri": {"prefix": "/"}}, {"uri": {"prefix": "/api"}}])
def test_many_tenants_are_asked_one_by_one(uri: Json) -> None:
    tenants: list[Json] = [
        {**uri, "headers": {"x-tenant": {"exact": f"t{number}"}}} for number in range(2000)
    ]
    found = kinds([*tenants, {"method": {"exact": "POST"}}], HOSTS, GATEWAYS)
    assert not found.cut
    assert len(found.found) == 2 * (2000 + 1)


def test_hosts_and_methods_that_are_excluded_or_covered_by_a_wildcard() -> None:
    conditions: list[Json] = [
        {"authority": {"prefix": "b."}},
        {"withoutHeaders": {":method": {"exact": "PUT"}, ":authority": {"prefix": "b."}}},
        {"withoutHeaders": {":path": {"prefix": "/docs"}}},
    ]
    found = {kind.held: kind.call for kind in kinds(conditions, ["*.example.com"], ["mesh"]).found}
    assert found[frozenset({0, 2})].host == "b.example.com"
    assert frozenset({1, 2}) in found
    assert frozenset({1}) in found
    assert frozenset({2}) in found


def test_too_many_combinations_are_told() -> None:
    conditions: list[Json] = [{"headers": {f"x-{number}": {}}} for number in range(40)]
    assert kinds(conditions, HOSTS, GATEWAYS).cut
