"""Dead matches by an index, and by looking at every pair: the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pinroute.istio.cover import dead_items
from pinroute.istio.implication import follows, implies
from pinroute.istio.read import MatchItem, read_rules

TEXTS = st.sampled_from(["", "/", "/a", "/a/b", "1", "10", "11", "/A"])
STRINGS = st.one_of(
    st.builds(lambda text: {"prefix": text}, TEXTS),
    st.builds(lambda text: {"exact": text}, TEXTS),
    st.sampled_from([{"regex": ".*"}, {"regex": "1.*"}, {"regex": "/a.*"}, {}]),
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
