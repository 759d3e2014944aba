"""Splicing into random files of owners: the rest stays, byte for byte, and comes back whole."""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.compilation import Source, compile_specs
from pinroute.istio.disjoint import disjoint
from pinroute.istio.evaluate import Call, taker, takes
from pinroute.istio.read import MatchItem, read_rules
from pinroute.manifest.block import Block
from pinroute.manifest.splice import spliced
from pinroute.spec.load import load

COMMENTS = st.sampled_from(
    ["", "", "# note", "#", "# - name: pin/exp/x", "# pin/exp: not ours, far off", "# é — ü", "  "]
)
BODIES = st.sampled_from(
    [
        "route: [{destination: {host: site}}]",
        "route:\n- destination:\n    host: site   # here\n  weight: 100",
        "route:\n    - destination: {host: 'it''s'}",
        "directResponse:\n  status: 200\n  body:\n    string: |\n      a\n      # no comment\n\n      b",
        'timeout: "10s"\nredirect: {uri: /x}',
        "match:\n- uri: {prefix: /a}\n- headers:\n    x: {exact: '01'}\nroute: []",
        "fault:\n  abort: {httpStatus: 503,\n          percentage: {value: 1.5}}",
    ]
)
NAMES = st.sampled_from(
    ["", "name: site", "name: 'pin/other/x'", 'name: "pin/exp"', "name: pin/ex/p"]
)


class File(NamedTuple):
    """A random file: its text, and which of its objects is meant."""

    text: str
    number: int


@st.composite
def rules(draw: st.DrawFn, indent: int) -> list[str]:
    """Return the lines of a list, each rule after some comments and blank lines."""
    lines: list[str] = []
    space = " " * indent
    dash = draw(st.sampled_from(["- ", "-   "]))
    count = draw(st.integers(1, 4))
    mark = draw(st.integers(-2, count))
    for number in range(count + 1):
        notes = draw(st.lists(COMMENTS, max_size=2))
        if number == mark:
            notes.insert(draw(st.integers(0, len(notes))), "# pinroute: here")
        lines += [space + note if note.strip() else note for note in notes]
        if number == count:
            break
        body = [line for line in (draw(NAMES), *draw(BODIES).split("\n")) if line or number]
        body = [line for place, line in enumerate(body) if line or place]
        while not body[0]:
            body.pop(0)
        inner = " " * (indent + len(dash))
        lines.append(space + dash + body[0])
        lines += [inner + line if line else "" for line in body[1:]]
    return lines


@st.composite
def services(draw: st.DrawFn) -> list[str]:
    step = draw(st.sampled_from([2, 4]))
    listed = draw(st.booleans())
    key = draw(st.sampled_from(["http:", '"http":', "http: # rules", "http:  ", "http: &rules"]))
    hosts = draw(st.sampled_from(["hosts: [a.example]", "hosts:\n- a.example"]))
    space = " " * step
    behind = draw(
        st.sampled_from([[], [space + "exportTo: ['.']"], ["status: {}"], ["", "# end"]])
    )
    return [
        "apiVersion: networking.istio.io/v1",
        draw(st.sampled_from(["kind: VirtualService", "kind: 'VirtualService' # é"])),
        "metadata: {name: web, annotations: {on: 'yes', n: 010}}",
        "spec:",
        *(space + line for line in hosts.split("\n")),
        space + key,
        *draw(rules(step * (2 if listed else 1))),
        *behind,
    ]


@st.composite
def files(draw: st.DrawFn) -> File:
    other = ["apiVersion: v1", "kind: ConfigMap", "data: {a: '#'} # b"]
    before = draw(st.integers(0, 2))
    behind = draw(st.integers(0, 1))
    documents = [*[other] * before, draw(services()), *[other] * behind]
    lines: list[str] = draw(st.sampled_from([[], ["---"], ["# top", "---"]]))
    for number, document in enumerate(documents):
        lines = [*lines, *(["---"] if number else []), *document]
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    text = ending.join(lines) + draw(st.sampled_from(["", ending, ending * 2]))
    return File(text, before)


@st.composite
def blocks(draw: st.DrawFn, name: str = "exp") -> Block:
    values = st.sampled_from(["000", "1e5", "yes", "é", "it's", "a: b", "# x", "-", "two\nlines"])
    made: list[dict[str, Any]] = [
        {
            "name": f"pin/{name}/{number}",
            "match": [{"headers": {"h": {"prefix": draw(values)}}}],
            "route": [{"destination": {"host": draw(values), "port": {"number": 80}}}],
        }
        for number in range(draw(st.integers(1, 3)))
    ]
    return Block(name, made, draw(st.lists(st.sampled_from(["one", "two: é"]), max_size=2)))


def put(file: File, block: Block) -> File:
    return file._replace(text=spliced("f.yaml", file.text, file.number, block))


def http(file: File) -> list[Any]:
    documents: list[Any] = list(yaml.safe_load_all(file.text))
    found: list[Any] = documents[file.number]["spec"]["http"]
    return found


@given(files(), blocks(), blocks())
def test_everything_else_is_the_same_bytes(file: File, block: Block, other: Block) -> None:
    assert not [item for item in load("f", file.text.encode()).diagnostics if item.code < "PIN1"]
    after = put(file, block)
    lines = file.text.splitlines(keepends=True)
    new = after.text.splitlines(keepends=True)
    # One run of lines was put in, and nothing else: what is in front and behind is the file.
    count = len(new) - len(lines)
    bare = [line.rstrip("\r\n") for line in new]
    first = next(
        place for place, line in enumerate(bare) if line != [*lines, ""][place].rstrip("\r\n")
    )
    runs = [bare[:at] + bare[at + count :] for at in range(first + 1)]
    assert [line.rstrip("\r\n") for line in lines] in runs
    assert after.text.endswith("\n") == file.text.endswith("\n")
    assert ("\r" in file.text) == ("\r" in after.text)
    if "\r" in file.text:
        assert after.text.count("\n") == after.text.count("\r\n")
    # The rules are there, in order, and the others are what they were.
    own = [rule for rule in http(after) if str(rule.get("name", "")).startswith("pin/exp/")]
    assert own == list(block.rules)
    assert [rule for rule in http(after) if rule not in own] == http(file)
    # Once is as good as twice; another block takes the same place; out is as it was.
    assert put(after, block) == after
    assert put(put(after, other), block) == after
    assert put(put(after, other), Block("exp")) == file
    assert put(after, Block("exp")) == file


@given(files(), blocks("one"), blocks("two"))
def test_the_order_of_experiments_does_not_matter(file: File, one: Block, two: Block) -> None:
    first, second = put(file, one), put(file, two)
    both = put(first, two)
    assert both == put(second, one)
    assert put(both, Block("one")) == second
    assert put(both, Block("two")) == first


# --- What is called disjoint has no request in common ----------------------------------------

TEXTS = ("/a", "/a/b", "/A", "/c")
MATCHES = st.one_of(
    st.builds(lambda text: {"exact": text}, st.sampled_from(TEXTS)),
    st.builds(lambda text: {"prefix": text}, st.sampled_from(TEXTS)),
    st.builds(lambda text: {"regex": text}, st.sampled_from(["/a.*", ".*", "/[ac]"])),
)
HEADERS: st.SearchStrategy[dict[str, dict[str, str]]] = st.dictionaries(
    st.sampled_from(["x", "userhash"]), st.one_of(MATCHES, st.just({}))
)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "uri": MATCHES,
        "ignoreUriCase": st.booleans(),
        "method": st.sampled_from([{"exact": "GET"}, {"exact": "POST"}, {"regex": "G.*"}]),
        "headers": HEADERS,
        "withoutHeaders": HEADERS,
        "queryParams": st.dictionaries(st.just("q"), MATCHES, max_size=1),
        "port": st.sampled_from([80, 443]),
        "gateways": st.lists(st.sampled_from(["mesh", "n/g", "g"]), min_size=1, max_size=2),
    },
)


def item(condition: dict[str, Any]) -> MatchItem:
    service = {"metadata": {"namespace": "n"}, "spec": {"http": [{"match": [condition]}]}}
    [rule] = read_rules(service, "userhash")
    return rule.items[0]


CALLS = st.builds(
    lambda path, query, method, headers, port, gateway: Call(
        "h",
        path + query,
        method,
        headers={name: (text,) for name, text in headers.items()},
        port=port,
        gateway=gateway,
    ),
    st.sampled_from(TEXTS),
    st.sampled_from(["", "?q=/a", "?q=/c"]),
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(st.sampled_from(["x", "userhash"]), st.sampled_from([*TEXTS, ""])),
    st.sampled_from([80, 443]),
    st.sampled_from(["mesh", "n/g"]),
)


@settings(max_examples=3 * settings().max_examples)
@given(CONDITIONS, CONDITIONS, st.lists(CALLS, min_size=5, max_size=20))
def test_disjoint_items_share_no_request(
    one: dict[str, Any], other: dict[str, Any], calls: list[Call]
) -> None:
    first, second = item(one), item(other)
    assert disjoint(first, second) == disjoint(second, first)
    if disjoint(first, second):
        assert not any(takes(first, call) and takes(second, call) for call in calls)


# --- Where nothing is said, every request meets what it should -------------------------------

EXPERIMENT = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp, namespace: "n"}
spec:
  route:
    hosts: [h.example]
    virtualService: {mode: splice, file: vs.yaml}
    http: [{name: r, match: [{uri: {prefix: /a}, method: {exact: GET}}, {uri: {exact: /c}}]}]
  userHash: {from: {header: userhash}}
  versions:
  - {name: v1, service: {host: v1, port: 80}}
  - {name: v2, service: {host: v2, port: 80}}
  baseline: v1
  groups: [{name: g, version: v2, prefixes: ["1"]}]
"""
HASHES = st.sampled_from([(), ("1000000000",), ("0000000000",), ("/a",)])


@given(
    st.lists(CONDITIONS, min_size=1, max_size=4),
    st.integers(0, 4),
    st.lists(st.tuples(CALLS, HASHES), min_size=5, max_size=20),
)
def test_who_takes_a_request(
    conditions: list[dict[str, Any]], mark: int, calls: list[tuple[Call, tuple[str, ...]]]
) -> None:
    """In front of ours only rules that are named; behind ours, the owner's as before."""
    owners = [
        {"name": f"o{number}", "match": [condition], "redirect": {"uri": "/"}}
        for number, condition in enumerate(conditions)
    ]
    lines = [yaml.safe_dump([rule], default_flow_style=True, width=10_000) for rule in owners]
    lines = [f"  - {line[1:-2]}\n" for line in lines]
    lines.insert(min(mark, len(lines)), "  # pinroute: here\n")
    text = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: exp}\n"
        "spec:\n  hosts: [h.example]\n  gateways: [n/g, mesh]\n  http:\n" + "".join(lines)
    )
    source = Source("s.yaml", EXPERIMENT.encode(), lambda _: text.encode())
    compilation = compile_specs([source])
    assert {item.code for item in compilation.diagnostics} <= {"PIN259", "PIN260", "PIN261"}
    said = [item.message for item in compilation.diagnostics if item.code != "PIN261"]
    unreached = [item.message for item in compilation.diagnostics if item.code == "PIN261"]
    if not compilation.experiments:
        assert any(item.code == "PIN259" for item in compilation.diagnostics)
        return
    service = compilation.experiments[0].rendered[0].virtual_service
    rules = read_rules(service, "userhash")
    ours = [rule for rule in rules if rule.name.startswith("pin/")]
    theirs = [rule for rule in rules if rule not in ours]
    for call, value in calls:
        headers = {**call.headers, "userhash": value} if value else dict(call.headers)
        headers = {name: found for name, found in headers.items() if name != "userhash" or value}
        asked = call._replace(host="h.example", headers=headers)
        found, own, other = (taker(some, asked) for some in (rules, ours, theirs))
        name = rules[found.rule].name if found else None
        if own is None:
            assert found == other
            assert not any(f"rule '{name}' of" in message for message in unreached)
        elif name is not None and name.startswith("o"):
            assert any(f"rule '{name}' of" in message for message in said)
        else:
            assert found == own
