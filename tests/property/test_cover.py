"""Dead matches by an index, and by looking at every pair: the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pinroute.istio.cover import dead_items
from pinroute.istio.evaluate import Call, taker
from pinroute.istio.implication import follows, implies
from pinroute.istio.read import MatchItem, read_rules

TEXTS = st.sampled_from(["", "/", "/a", "/a/b", "1", "10", "11", "/A"])
STRINGS = st.one_of(
    st.builds(lambda text: {"prefix": text}, TEXTS),
    st.builds(lambda text: {"exact": text}, TEXTS),
    st.sampled_from([{"regex": ".*"}, {"regex": "1.*"}, {"regex": "/a.*"}, {"regex": "*"}, {}]),
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "uri": STRINGS,
        "method": STRINGS,
        "ignoreUriCase": st.booleans(),
        "headers": st.dictionaries(st.sampled_from(["userhash", "x"]), STRINGS, max_size=2),
        "withoutHeaders": st.dictionaries(st.sampled_from(["userhash", "x"]), STRINGS, max_size=2),
        "queryParams": st.dictionaries(st.just("q"), STRINGS, max_size=1),
        "port": st.sampled_from([80, 81]),
        "gateways": st.lists(st.sampled_from(["a/b", "mesh"]), min_size=1, max_size=2),
        "sourceNamespace": st.sampled_from(["a", "b"]),
    },
)


def covers(earlier: MatchItem, later: MatchItem) -> bool:
    if not follows(later.residual, earlier.residual):
        return False
    if earlier.value is None:
        return True
    return later.value is not None and implies(later.value, earlier.value)


@given(st.lists(MATCHES, max_size=12))
def test_an_index_finds_what_every_pair_shows(matches: list[dict[str, Any]]) -> None:
    service = {"spec": {"http": [{"match": [match]} for match in matches]}}
    items = [item for rule in read_rules(service, "userhash") for item in rule.items]
    live: list[MatchItem] = []
    expected = []
    for item in items:
        if any(covers(one, item) for one in live):
            expected.append(item.rule)
        else:
            live.append(item)
    assert [dead.item.rule for dead in dead_items(items)] == expected


CALLS = st.builds(
    lambda path, method, headers, port, gateway, namespace: Call(
        "a.com",
        path,
        method,
        headers={name: (value,) for name, value in headers.items()},
        port=port,
        gateway=gateway,
        namespace=namespace,
    ),
    st.sampled_from(["/", "/a", "/a/b", "/A", "/x", "/?q=1", "/a?q=10"]),
    st.sampled_from(["GET", "1", "11", "/a"]),
    st.dictionaries(st.sampled_from(["userhash", "x"]), TEXTS, max_size=2),
    st.sampled_from([80, 81]),
    st.sampled_from(["a/b", "mesh"]),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(MATCHES, max_size=8), st.lists(CALLS, min_size=1, max_size=20))
def test_nothing_dead_takes_a_request(matches: list[dict[str, Any]], calls: list[Call]) -> None:
    service = {"spec": {"http": [{"match": [match]} for match in matches]}}
    rules = read_rules(service, "userhash")
    dead = {one.item.rule for one in dead_items([rule.items[0] for rule in rules])}
    for call in calls:
        taken = taker(rules, call)
        assert taken is None or taken.rule not in dead
