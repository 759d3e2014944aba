"""Which requests stand for all, how fast they go out, and where to."""

from pathlib import Path

import pytest

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.gateway.address import BadAddress, address
from pinroute.gateway.inquiry import Pace
from pinroute.probes.everybody import untried
from pinroute.probes.survey import BLOCK, EDGE, blocks_of, survey
from pinroute.table.ranges import hash_at

ROOT = Path(__file__).parents[2]


def compiled(name: str, stage: str | None = None) -> Compiled:
    path = ROOT / "samples" / f"{name}.yaml"
    source = Source(path.name, path.read_bytes(), lambda file: (path.parent / file).read_bytes())
    return compile_specs([source], stage=stage).experiments[0]


@pytest.mark.parametrize("name", ["plain-services", "tutorial", "paths", "three-versions"])
def test_blocks_are_where_the_table_changes(name: str) -> None:
    [table] = compiled(name).stages[0].tables.values()
    blocks = blocks_of([table])
    assert [block.end for block in blocks[:-1]] == [block.start for block in blocks[1:]]
    assert (blocks[0].start, blocks[-1].end) == (0, table.universe.size)
    leaves = [table.number(value) for value in table.universe.values()]
    cuts = [at for at in range(1, len(leaves)) if leaves[at] != leaves[at - 1]]
    assert [block.start for block in blocks] == [0, *cuts]


def test_a_promotion_is_asked_for_at_the_edges_of_the_groups_before() -> None:
    before, after = survey(compiled("tutorial"), "h"), survey(compiled("tutorial", "done"), "h")
    assert [probe.values for probe in before.blocks] == [probe.values for probe in after.blocks]
    assert {probe.expected.version for probe in after.blocks} == {"flowers-v1"}


def test_every_block_has_its_edges() -> None:
    one = compiled("tutorial")
    [table] = one.stages[0].tables.values()
    found = survey(one, "h")
    sent = {value for probe in (*found.blocks, *found.edges) for value in probe.values}
    for block in blocks_of([table]):
        for at in (block.start, block.end - 1):
            assert hash_at(table.universe, at) in sent
    assert {probe.who for probe in found.blocks} == {BLOCK}
    assert {probe.who for probe in found.edges} == {EDGE}
    assert len(sent) == len(found.blocks) + len(found.edges)


def test_a_hash_alone_is_block_and_edge_at_once() -> None:
    text = (ROOT / "samples" / "plain-services.yaml").read_text("utf-8")
    text = text.replace('prefixes: ["01"]', 'prefixes: ["0100000000"]')
    one = compile_specs([Source("x.yaml", text.encode())]).experiments[0]
    found = survey(one, "h")
    sent = [probe.values for probe in found.probes() if probe.who in (BLOCK, EDGE)]
    assert sent.count(("0100000000",)) == 1
    assert len(set(sent)) == len(sent)


def test_very_large_universes_take_no_longer() -> None:
    assert len(survey(compiled("hex"), "h").probes()) < 100


def test_the_first_requests_are_the_blocks() -> None:
    found = survey(compiled("tutorial"), "h")
    for most in range(len(found.probes()) + 2):
        assert found.first(most).probes() == found.probes()[:most]


def test_the_spec_says_what_is_not_asked_for() -> None:
    assert survey(compiled("paths"), "h").left_out == (
        "route 'health' is raw and is passed through",
        "route 'rest' is raw and is passed through",
    )


def test_routes_without_a_known_request_are_named() -> None:
    text = (ROOT / "samples" / "plain-services.yaml").read_text("utf-8")
    http = """    http:
    - {name: by-regex, match: [{uri: {regex: "/x.*"}}]}
    - {name: by-scheme, match: [{uri: {prefix: /s}, scheme: {exact: http}}]}
    - {name: by-blank, match: [{uri: {prefix: /q}, queryParams: {q: {exact: "1 2"}}}]}
    - {name: rest}
  userHash:
"""
    source = Source("x.yaml", text.replace("  userHash:\n", http, 1).encode())
    [one] = compile_specs([source]).experiments
    unknown = "has a match, and no request is known that it would take"
    assert survey(one, "h").left_out == (
        f"route 'by-regex' {unknown}",
        f"route 'by-blank' {unknown}",
    )
    assert "route 'by-scheme' matches by scheme" in survey(one, "h", tls=True).left_out
    assert untried(one) == ["by-regex", "by-blank"]


def test_the_pace_is_even_and_makes_up_for_nothing() -> None:
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = Pace(4, lambda: now[0], sleep)
    pace.wait()
    pace.wait()
    now[0] += 10
    pace.wait()
    pace.wait()
    assert slept == [0.25, 0.25]
    unlimited = Pace(0, lambda: now[0], sleep)
    for _ in range(10):
        unlimited.wait()
    assert slept == [0.25, 0.25]


@pytest.mark.parametrize(
    ("url", "resolve", "shown", "peer"),
    [
        ("http://Shop.example.com", None, "http://shop.example.com", "shop.example.com"),
        ("HTTPS://h.test:443/", None, "https://h.test", "h.test"),
        ("https://h.test:8443", "H.test:8443:10.0.0.7", "https://h.test:8443", "10.0.0.7"),
        ("http://[::1]:8080", None, "http://[::1]:8080", "::1"),
        ("http://h.test", "h.test:80:[fd00::7]", "http://h.test", "fd00::7"),
        ("http://h.test.", None, "http://h.test", "h.test"),
    ],
)
def test_addresses(url: str, resolve: str | None, shown: str, peer: str) -> None:
    found = address(url, resolve)
    assert (str(found), found.peer) == (shown, peer)


@pytest.mark.parametrize(
    ("url", "resolve"),
    [
        ("ftp://h", None),
        ("http://", None),
        ("http://h:0", None),
        ("http://h:", None),
        ("http://h:x", None),
        ("http://h h", None),
        ("http://ü", None),
        ("http://h?", None),
        ("http://h#x", None),
        ("http://h/x", None),
        ("http://u@h", None),
        ("http://[::1", None),
        ("http://h", "h:80"),
        ("http://h", "h:80:"),
        ("http://h", "h:80:name"),
        ("http://h", "h:²:1.2.3.4"),
        ("http://h", "g:80:1.2.3.4"),
        ("http://h", "h:81:1.2.3.4"),
    ],
)
def test_what_is_no_address(url: str, resolve: str | None) -> None:
    with pytest.raises(BadAddress):
        address(url, resolve)
