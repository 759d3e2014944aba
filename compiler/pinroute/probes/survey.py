"""A request for each block of user hashes, for its edges, and for odd headers.

A block is a range of user hashes that no stage of the spec tells apart: a gateway that is
still at the stage before is noticed. The hash in its middle stands for it, its first and
last hash are its edges. A block that the gateway cuts in two is noticed only where one of
the three lies on the other side: this is a sample, the proof is `pinroute.verification`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pinroute.compilation import Compiled
from pinroute.probes.probe import (
    Probe,
    RequestClass,
    odd_lines,
    parts_in,
    request_classes,
    request_of,
)
from pinroute.spec.promotion import Promotion, promotion_of
from pinroute.stages.stage import build_stage, stage_order
from pinroute.table.ranges import Range, block_range, hash_at
from pinroute.table.table import Table

BLOCK, EDGE, ODD = "block", "edge", "odd header"


@dataclass(frozen=True, slots=True)
class Survey:
    """The requests in the order of their weight: blocks, edges, odd headers.

    `hashes` is how many user hashes there are, once for each class of requests, and
    `left_out` tells which routes are asked for nothing, and why.
    """

    blocks: tuple[Probe, ...]
    edges: tuple[Probe, ...]
    odd: tuple[Probe, ...]
    hashes: int
    left_out: tuple[str, ...]

    def parts(self) -> tuple[tuple[str, tuple[Probe, ...]], ...]:
        """Return the three, with their names."""
        return ((BLOCK, self.blocks), (EDGE, self.edges), (ODD, self.odd))

    def first(self, most: int) -> "Survey":
        """Return the first so many requests."""
        blocks = self.blocks[:most]
        edges = self.edges[: max(0, most - len(self.blocks))]
        odd = self.odd[: max(0, most - len(self.blocks) - len(self.edges))]
        return replace(self, blocks=blocks, edges=edges, odd=odd)

    def probes(self) -> list[Probe]:
        """Return all requests, in order."""
        return [*self.blocks, *self.edges, *self.odd]


def survey(compiled: Compiled, host: str, *, tls: bool = False, joined: bool = False) -> Survey:
    """Return the requests that verify the live stage of an experiment at one of its hosts.

    `tls` tells that the requests go over TLS, where a match on `scheme` is not foreseen;
    `joined` is how Envoy took repeated headers before 1.39: as one value, with commas.
    """
    experiment = compiled.checked.spec.experiment
    header = experiment.output.version_header
    stage = compiled.stages[0]
    stages = [
        build_stage(experiment, name, compiled.checked.manifests)
        for name in stage_order(experiment)
        if not (promotion_of(name) or Promotion(0)).phase  # they route as other stages do
    ]
    kind = stage.routes.source.kind
    blocks: list[Probe] = []
    edges: list[Probe] = []
    odd: list[Probe] = []
    asked: list[RequestClass] = []
    for one in request_classes(stage, host):
        if one.table is None or (tls and "scheme" in one.items[0].condition):
            continue
        asked.append(one)
        tables = [other.tables[one.route] for other in (stage, *stages)]
        one_of: dict[int, str] = {}
        for block in blocks_of(tables):
            ends = [hash_at(one.table.universe, at) for at in (block.start, block.end - 1)]
            middle = hash_at(one.table.universe, block.start + block.size // 2)
            one_of.setdefault(one.table.number(middle), middle)
            blocks.append(one.probe(BLOCK, (middle,), header))
            edges += [one.probe(EDGE, (end,), header) for end in ends if end != middle]
        odd.append(one.probe("no hash", (), header))
        if kind == "header":
            odd += [
                one.probe("upper case", (value,), header, upper=True) for value in one_of.values()
            ]
        odd += [
            one.probe(who, values, header, joined=joined)
            for who, values in odd_lines(one.table.universe, _starts(tables), kind)
        ]
    hashes = sum(one.table.universe.size for one in asked if one.table is not None)
    left_out = tuple(_left_out(compiled, host, asked, tls))
    return Survey(tuple(blocks), tuple(edges), tuple(odd), hashes, left_out)


def blocks_of(tables: Sequence[Table]) -> list[Range]:
    """Return the ranges of user hashes that each table gives to one leaf, in order."""
    universe = tables[0].universe
    cuts = {0, universe.size}
    for table in tables:
        for part in parts_in(table):
            for values in part.values:
                cuts |= set(block_range(universe, values.prefix))
    found: list[Range] = []
    last: list[int] = []
    for start, end in pairwise(sorted(cuts)):
        value = hash_at(universe, start)
        leaves = [table.number(value) for table in tables]
        if leaves == last:
            found[-1] = Range(found[-1].start, end)
        else:
            found.append(Range(start, end))
        last = leaves
    return found


def _starts(tables: Sequence[Table]) -> list[str]:
    """Return one prefix of each group."""
    found: dict[str, str] = {}
    for table in tables:
        for part in parts_in(table):
            for values in part.values:
                if values.prefix:
                    found.setdefault(part.label, values.prefix)
    return sorted(set(found.values()))


def _left_out(
    compiled: Compiled, host: str, asked: list[RequestClass], tls: bool
) -> Iterator[str]:
    stage = compiled.stages[0]
    known = {id(item.condition) for one in asked for item in one.items}
    seen: set[int] = set()
    for item in stage.routes.items:
        if id(item.condition) in known | seen:
            continue
        seen.add(id(item.condition))
        if item.route not in stage.tables:
            yield f"route {item.route!r} is raw and is passed through"
        elif tls and "scheme" in item.condition:
            yield f"route {item.route!r} matches by scheme"
        elif request_of(item.condition, host) is None:
            yield f"route {item.route!r} has a match, and no request is known that it would take"
        else:
            yield f"route {item.route!r} has a match whose request an earlier route takes"
