"""The impact of VirtualServices, against asking every user hash one by one, rule by rule."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pinroute.change.impact import impact_of, returns
from pinroute.change.model import UNROUTED, Change, Incomparable
from pinroute.change.reading import UserHashOptions
from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.istio.evaluate import Call, taker
from pinroute.istio.read import read_rules
from pinroute.spec.nodes import Document
from pinroute.spec.parse import parse
from pinroute.table.ranges import block_range
from pinroute.table.universe import Universe

Json = dict[str, Any]

UNIVERSE = Universe("01", 8)
HASHES = UNIVERSE.values()
LOOKED_AT = UserHashOptions("h", "binary", 8)


def document(service: Json) -> Document:
    return parse("vs.yaml", json.dumps(service))[0][0]


def service(rules: list[Json], **spec: Any) -> Json:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {"hosts": ["a.example"], "gateways": ["g/one"], "http": rules, **spec},
    }


STRINGS = st.one_of(
    st.builds(lambda text: {"prefix": text}, st.text("01", min_size=1, max_size=8)),
    st.builds(lambda text: {"exact": text}, st.text("01", min_size=7, max_size=8)),
    st.just({}),
    st.sampled_from([{"regex": "01[01]{6}"}, {"regex": "(0|11).*"}, {"regex": ".*"}]),
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": st.sampled_from([{"prefix": "/a"}, {"exact": "/a/b"}, {"prefix": "/b"}]),
        "headers": st.one_of(
            st.builds(lambda match: {"h": match}, STRINGS),
            st.builds(lambda one, two: {"h": one, "H": two}, STRINGS, STRINGS),
            st.builds(lambda match: {"H": match, "x-team": {"exact": "red"}}, STRINGS),
        ),
        "withoutHeaders": st.builds(lambda match: {"H": match}, STRINGS),
    },
)
HOSTS = ["one.d.svc.cluster.local", "two.d.svc.cluster.local"]
ROUTES = st.one_of(
    st.sampled_from([[{"destination": {"host": host}}] for host in HOSTS]),
    st.just([{"destination": {"host": host}, "weight": 50} for host in HOSTS]),
    st.just([{"destination": {"host": "one"}, "weight": 100}, {"destination": {"host": "x"}}]),
)
RULES = st.builds(
    lambda matches, route: {**({"match": matches} if matches else {}), "route": route},
    st.lists(MATCHES, max_size=2),
    ROUTES,
)
SERVICES = st.builds(service, st.lists(RULES, max_size=4))


def requests() -> list[Call]:
    return [
        Call("a.example", path, headers=headers, gateway="g/one")
        for path, headers in product(
            ["/", "/a", "/a/b", "/a/c", "/b"],
            [{}, {"x-team": ("red",)}],
        )
    ]


def met(whole: Json, call: Call, value: str | None) -> str:
    """Return what a user gets, as a text, by walking through the rules."""
    lines = {} if value is None else {"h": (value,)}
    item = taker(read_rules(whole, "h"), call._replace(headers={**call.headers, **lines}))
    if item is None:
        return UNROUTED
    entries = whole["spec"]["http"][item.rule]["route"]
    total = sum(entry.get("weight", 0) for entry in entries)
    parts = {
        entry["destination"]["host"]: entry.get("weight", 0) * 100 // total if total else 100
        for entry in entries
        if entry.get("weight", 0) or not total
    }
    shown = sorted(
        (-part, name if "." in name else f"{name}.d.svc.cluster.local")
        for name, part in parts.items()
    )
    if len(shown) == 1:
        return shown[0][1]
    return "split " + ", ".join(f"{-part}% {name}" for part, name in shown)


def users(change: Change) -> set[str]:
    found: set[str] = set()
    for prefix in change.prefixes:
        block = block_range(UNIVERSE, prefix)
        found |= set(HASHES[block.start : block.end])
    return found


def moves(old: Json, new: Json, call: Call) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for value in HASHES:
        pair = met(old, call, value), met(new, call, value)
        if pair[0] not in (pair[1], UNROUTED):
            found[pair].add(value)
    return found


@given(SERVICES, SERVICES)
@settings(deadline=None)
def test_impact_is_what_every_user_meets(old: Json, new: Json) -> None:
    found = impact_of([document(old)], [document(new)], LOOKED_AT).changes
    told: dict[str, tuple[Call, list[Change]]] = {}
    for change in found:
        assert change.call is not None
        told.setdefault(repr(change.call), (change.call, []))[1].append(change)
    for call, changes in told.values():
        absent = met(old, call, None), met(new, call, None)
        expected = moves(old, new, call)
        whole = [change for change in changes if change.before == "routed"]
        if whole:
            [change] = changes
            assert {after for _, after in expected} <= {UNROUTED}
            assert all(met(new, call, value) == UNROUTED for value in [None, *HASHES])
            moved = set().union(*expected.values()) if expected else set()
            assert change.share == Fraction(len(moved), 256)
            assert change.witness in (moved or {"<absent>"})
            continue
        hashed = [change for change in changes if change.witness != "<absent>"]
        assert {(change.before, change.after): users(change) for change in hashed} == expected
        for change in hashed:
            assert change.share == Fraction(len(users(change)), 256)
            assert change.witness in users(change)
            assert change.kind == ("path" if change.after == UNROUTED else "version")
            assert change.requests is not None
            assert 0 < change.requests <= change.share
        without = [(c.before, c.after) for c in changes if c.witness == "<absent>"]
        assert without == ([] if absent[0] in (absent[1], UNROUTED) else [absent])
    # Whatever moves anywhere is told, under a request of the same kind.
    known = [
        {(change.before, change.after): users(change) for change in changes if change.prefixes}
        for _, changes in told.values()
    ]
    for call in requests():
        expected = moves(old, new, call)
        gone = expected and all(met(new, call, value) == UNROUTED for value in [None, *HASHES])
        if gone:
            assert any(change.before == "routed" for change in found)
        elif expected:
            assert expected in known


@given(st.lists(SERVICES, min_size=2, max_size=4))
@settings(deadline=None)
def test_returns_are_what_every_user_met(states: list[Json]) -> None:
    found = returns([document(state) for state in states], LOOKED_AT).changes
    for call in {repr(change.call): change.call for change in found}.values():
        assert call is not None
        expected: dict[tuple[str, str], set[str]] = defaultdict(set)
        for value in HASHES:
            seen = [one for state in states if (one := met(state, call, value)) != UNROUTED]
            for now in range(1, len(seen)):
                if seen[now] != seen[now - 1] and seen[now] in seen[: now - 1]:
                    expected[seen[now - 1], seen[now]].add(value)
        told = {(c.before, c.after): users(c) for c in found if c.call == call}
        assert told == expected
    assert all(change.back for change in found)


SPEC: Json = {
    "apiVersion": "pinroute.dev/v1alpha1",
    "kind": "AffinityExperiment",
    "metadata": {"name": "a", "namespace": "d"},
    "spec": {
        "route": {"hosts": ["a.example"], "gateways": ["g/one"]},
        "userHash": {"from": {"header": "h"}, "digits": 8},
        "versions": [
            {"name": "v1", "service": {"host": "one", "port": 80}},
            {"name": "v2", "service": {"host": "two", "port": 80}},
        ],
        "baseline": "v1",
        "groups": [{"name": "g", "version": "v2", "prefixes": ["01", "1101"]}],
    },
}


def compiled(spec: Json) -> Compiled:
    found = compile_specs([Source("spec.yaml", json.dumps(spec).encode())])
    assert not found.failed, found.diagnostics
    return found.experiments[0]


def rule(host: str, *matches: Json, **fields: Any) -> Json:
    return {
        **({"match": list(matches)} if matches else {}),
        "route": [{"destination": {"host": host}}],
        **fields,
    }


def each(changes: Iterable[Change]) -> Counter[tuple[str, str, tuple[str, ...], Fraction]]:
    """Return how many kinds of requests change in each way."""
    return Counter(
        {
            key: sum(change.alike + 1 for change in found)
            for key, found in groupby(sorted(changes, key=_way), key=_way)
        }
    )


def _way(change: Change) -> tuple[str, str, tuple[str, ...], Fraction]:
    return change.before, change.after, change.prefixes, change.share


@given(SERVICES)
@example(
    service(
        [
            rule("one", {"uri": {"prefix": "/a"}, "withoutHeaders": {"H": {}}}),
            {
                "match": [{"headers": {"h": {"prefix": "0"}}}],
                "route": [{"destination": {"host": host}, "weight": 50} for host in HOSTS],
            },
        ]
    )
)
@settings(deadline=None)
def test_a_spec_on_either_side_is_its_own_virtual_service(other: Json) -> None:
    """And its versions have their names; a destination without a port is the one with it."""
    experiment = compiled(SPEC)
    own = json.loads(json.dumps(experiment.rendered[0].virtual_service))
    for rule in own["spec"]["http"]:
        for entry in rule["route"]:
            del entry["destination"]["port"]
    names = {HOSTS[0]: "v1", HOSTS[1]: "v2"}

    def named(text: str) -> str:
        for host, name in names.items():
            text = text.replace(host, name)
        return text

    for sides in ((experiment, other), (other, experiment)):
        old, new = (side if isinstance(side, Compiled) else document(side) for side in sides)
        old_own, new_own = (document(own if side is experiment else other) for side in sides)
        found = impact_of([old], [new]).changes
        plain = impact_of([old_own], [new_own], LOOKED_AT).changes
        # Who goes back is told by the spec's baseline, else by what requests without a hash met:
        # so the kinds of requests that change alike may be taken together differently.
        assert each(found) == each(
            change._replace(before=named(change.before), after=named(change.after))
            for change in plain
        )
        for change in found:
            v1 = [
                text.startswith("v1") or "% v1" in text for text in (change.before, change.after)
            ]
            assert not change.back or v1[1]
    assert impact_of([experiment], [document(own)]).changes == ()


def prefix(text: str, **more: Any) -> Json:
    return {"headers": {"h": {"prefix": text}}, **more}


def told(old: list[Json], new: list[Json], **options: Any) -> list[tuple[str, str, str, Fraction]]:
    found = impact_of(
        [document(service(old))], [document(service(new))], UserHashOptions(**options)
    )
    return [(c.route, c.before, c.after, c.share) for c in found.changes]


A, B = "a.x", "b.x"


def test_the_user_hash_is_found_out() -> None:
    old = [rule(B, prefix("01")), rule(A)]
    new = [rule(B, prefix("0110")), rule(A)]
    assert told(old, new) == [("", B, A, Fraction(3, 16))]
    assert told(old, new, header="H", digits=8) == [("", B, A, Fraction(3, 16))]
    assert told(old, new, alphabet="hex") == [("", B, A, Fraction(255, 65536))]
    notes = impact_of([document(service(old))], [document(service(new))]).notes
    assert len(notes) == 1
    assert "header 'h', 4 binary digits" in notes[0]


@pytest.mark.parametrize(
    ("match", "options", "said"),
    [
        ({"prefix": "gz"}, {}, "--alphabet"),
        ({"regex": "[ab]+"}, {"header": "h"}, "--digits"),
        ({"prefix": "0101"}, {"digits": 3}, "--digits 3"),
        ({"regex": "(0|1).*"}, {"header": "h", "digits": 20}, "too many to ask"),
    ],
)
def test_what_cannot_be_found_out_is_told(match: Json, options: Json, said: str) -> None:
    with pytest.raises(Incomparable, match=said):
        told([rule(B, {"headers": {"h": match}}), rule(A)], [rule(A)], **options)


def test_strict_regexes_tell_the_digits() -> None:
    strict = {"headers": {"h": {"regex": "01[01]{8}"}}}
    assert told([rule(A)], [rule(B, strict), rule(A)], header="h") == [("", A, B, Fraction(1, 4))]


def test_without_any_hash_all_users_are_one() -> None:
    assert told([rule(A)], [rule(B)]) == [("", A, B, Fraction(1))]


def test_what_is_not_a_version_has_a_name_too() -> None:
    redirect = {"redirect": {"authority": "new.example", "uri": "/x"}}
    assert told([rule(A)], [redirect]) == [("", A, "redirect to new.example/x", Fraction(1))]
    answer = {"directResponse": {"status": 503}}
    assert told([rule(A)], [answer]) == [("", A, "answer 503", Fraction(1))]
    handed = {"delegate": {"name": "n", "namespace": "m"}}
    assert told([rule(A)], [handed]) == [("", A, "delegate m/n", Fraction(1))]


def test_a_split_is_moved_less_than_its_users() -> None:
    def split(one: int) -> list[Json]:
        return [
            {
                "route": [
                    {"destination": {"host": A}, "weight": one},
                    {"destination": {"host": B}, "weight": 100 - one},
                ]
            }
        ]

    [change] = impact_of([document(service(split(90)))], [document(service(split(80)))]).changes
    assert change.requests == Fraction(1, 10) * change.share == Fraction(1, 10)
    assert (change.before, change.after) == (f"split 90% {A}, 10% {B}", f"split 80% {A}, 20% {B}")


def test_kinds_that_change_alike_are_told_once() -> None:
    paths = [{"uri": {"exact": f"/{n}"}} for n in range(5)]
    found = impact_of(
        [document(service([rule(A, *paths), rule("rest.x")]))],
        [document(service([rule(B, *paths), rule("rest.x")]))],
    ).changes
    assert [(change.route, change.alike) for change in found] == [("/0", 4)]


def test_users_who_go_back_without_a_spec() -> None:
    """The baseline is where requests without a hash went before."""
    more, less = [rule(B, prefix("0")), rule(A)], [rule(B, prefix("01")), rule(A)]
    one, two = document(service(more)), document(service(less))
    assert [change.back for change in impact_of([one], [two]).changes] == [True]
    assert [change.back for change in impact_of([two], [one]).changes] == [False]
    everybody = document(service([rule(B)]))
    assert not any(change.back for change in impact_of([one], [everybody]).changes)


# --- Hosts and gateways --------------------------------------------------------------------------


def lost(old: list[Json], new: list[Json]) -> list[tuple[str, str, str]]:
    found = impact_of([document(one) for one in old], [document(one) for one in new]).changes
    return [(change.kind, change.host, change.gateway) for change in found]


def named(name: str, **spec: Any) -> Json:
    found = service([rule(A)], **spec)
    return {**found, "metadata": {"name": name, "namespace": "d"}}


def test_hosts_that_nobody_serves() -> None:
    both = named("a", hosts=["a.example", "b.example"])
    assert lost([both], [named("a", hosts=["a.example"])]) == [("host", "b.example", "")]
    assert lost([both], []) == [("host", "a.example", ""), ("host", "b.example", "")]
    # Another VirtualService, or a wildcard, takes them.
    assert lost([both], [named("x", hosts=["b.example"]), named("y", hosts=["*.example"])]) == []
    assert lost([named("a", hosts=["*.example"])], [named("a", hosts=["a.example"])]) == [
        ("host", "*.example", "")
    ]
    assert lost([named("a", hosts=["web"])], [named("b", hosts=["web.d.svc.cluster.local"])]) == []
    assert lost([named("a", hosts=["A.example"])], [named("b", hosts=["a.EXAMPLE"])]) == []


def test_gateways_that_are_left() -> None:
    both = named("a", gateways=["g/one", "two", "mesh"])
    assert lost([both], [named("a", gateways=["d/two"])]) == [
        ("gateway", "a.example", "g/one"),
        ("gateway", "a.example", "mesh"),
    ]
    assert lost([named("a", gateways=[])], [named("a", gateways=["mesh", "g/x"])]) == []
    assert (
        lost([both], [named("x", gateways=["two"]), named("y", gateways=["g/one", "mesh"])]) == []
    )


def test_a_gateway_of_an_experiment() -> None:
    moved = json.loads(json.dumps(SPEC))
    moved["spec"]["route"]["gateways"] = ["g/two"]
    [change] = impact_of([compiled(SPEC)], [compiled(moved)]).changes
    assert (change.kind, change.gateway, change.after) == ("gateway", "g/one", UNROUTED)
    assert change.share == Fraction(1)
    assert change.witness == "00000000"
    moved["spec"]["route"]["gateways"] = ["g/two", "g/one"]
    assert impact_of([compiled(SPEC)], [compiled(moved)]).changes == ()


def test_a_renamed_experiment_moves_nobody() -> None:
    renamed = json.loads(json.dumps(SPEC))
    renamed["metadata"] = {"name": "b", "namespace": "d"}
    renamed["spec"]["route"]["virtualService"] = {"name": "b"}
    assert impact_of([compiled(SPEC)], [compiled(renamed)]).changes == ()
    renamed["spec"]["groups"][0]["prefixes"] = ["01"]
    [change] = impact_of([compiled(SPEC)], [compiled(renamed)]).changes
    assert (change.experiment, change.prefixes) == ("b", ("1101",))


def test_rules_for_one_gateway() -> None:
    old = service([rule(A)], gateways=["g/one", "g/two"])
    new = service([rule(B, {"gateways": ["g/two"]}), rule(A)], gateways=["g/one", "g/two"])
    found = impact_of([document(old)], [document(new)]).changes
    assert [(c.route, c.before, c.after) for c in found] == [("at g/two", A, B)]


def test_what_an_experiment_compiles_to_is_not_compared_beside_it() -> None:
    experiment = compiled(SPEC)
    own = json.loads(json.dumps(experiment.rendered[0].virtual_service))
    other = {**own, "spec": {**own["spec"], "http": [rule(A)]}}
    both: list[Compiled | Document] = [experiment, document(own), document(other)]
    assert impact_of(both, both).changes == ()
    assert impact_of(both, [experiment]).changes == ()
    with pytest.raises(Incomparable, match="is there 2 times"):
        impact_of([document(own), document(other)], [experiment])


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hosts": "a.example"}, "spec.hosts is no list"),
        ({"http": {}}, "spec.http is no list"),
        ({"http": [3]}, r"spec.http\[0\] is no object"),
        ({"http": [{"match": {}}]}, r"spec.http\[0\].match is no list"),
        ({"http": [{"match": [None]}]}, r"match\[0\] is no object"),
        ({"http": [{"match": [{"headers": {"h": "01"}}]}]}, "headers.h is no object"),
        ({"http": [{"match": [{"port": True}]}]}, "port is no whole number"),
        ({"http": [{"route": [{"destination": "a"}]}]}, "destination is no object"),
        ({"http": [{"route": [{"destination": {}, "weight": "9"}]}]}, "weight is no whole number"),
    ],
)
def test_what_is_no_virtual_service_is_told(spec: Json, said: str) -> None:
    with pytest.raises(Incomparable, match=said):
        impact_of([document(service([], **spec))], [])


@pytest.mark.parametrize("spec", [{"http": None}, {"gateways": None}, {"http": [{"match": None}]}])
def test_null_counts_as_missing(spec: Json) -> None:
    assert [change.kind for change in impact_of([document(service([], **spec))], []).changes] == [
        "host"
    ]
