"""States of VirtualServices compared: kind of request by kind of request, hash by hash.

For each kind of requests the rules say which user hash gets what; that is compared over
every user hash. The kinds of requests are those of all states together.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from heapq import heappop, heappush
from typing import NamedTuple

from pinroute.change.model import (
    NOBODY,
    PATH,
    ROUTED,
    UNROUTED,
    VERSION,
    Change,
    Incomparable,
)
from pinroute.change.outcome import LOST, Names, Outcome, least_moved, outcome, returns_to, shown
from pinroute.change.reading import Reading
from pinroute.change.serving import Serving, condition_text
from pinroute.istio.evaluate import Call
from pinroute.istio.hashes import Taken, TooManyHashes, hash_match, taken
from pinroute.istio.read import read_rules
from pinroute.istio.requests import Kind, Kinds, kinds
from pinroute.istio.resource import Fields, some_host
from pinroute.table.difference import ABSENT
from pinroute.table.history import comebacks_of
from pinroute.table.impact import Move, Runs, moves
from pinroute.table.measure import Share


class Asked(NamedTuple):
    """What the user hashes, and requests without one, get from a kind of requests."""

    runs: Runs
    absent: Outcome


class _Item(NamedTuple):
    """A match item: where its condition stands among all, what it takes, and what it does."""

    condition: int
    taken: Taken
    outcome: Outcome


Does = Callable[[Fields, Serving], Outcome]  # what a rule of a state does with a request


class Rules:
    """The match items of one state in order, ready to be asked by kinds of requests."""

    def __init__(
        self, state: Serving, reading: Reading, does: Does, places: dict[str, int]
    ) -> None:
        self._size = reading.universe.size
        self._items: list[_Item] = []
        self._asked: dict[frozenset[int], Asked] = {}
        for rule in read_rules(state.service, reading.header):
            met = does(rule.fields, state)
            for item in rule.items:
                match = hash_match(item)
                text = condition_text(match.condition, state.namespace)
                place = places.setdefault(text, len(places))
                self._items.append(_Item(place, taken(match, reading.universe), met))
        self._by_condition: dict[int, list[int]] = {}
        for number, own in enumerate(self._items):
            self._by_condition.setdefault(own.condition, []).append(number)

    def ask(self, held: frozenset[int]) -> Asked:
        """Return what a kind of requests gets; `held` are the conditions it satisfies."""
        own = frozenset(place for place in held if place in self._by_condition)
        if own not in self._asked:
            numbers = sorted(number for place in own for number in self._by_condition[place])
            self._asked[own] = self._first_match([self._items[number] for number in numbers])
        return self._asked[own]

    def _first_match(self, items: Sequence[_Item]) -> Asked:
        absent = next((item.outcome for item in items if item.taken.absent), LOST)
        edges = sorted(
            (part.start, number, part.end)
            for number, item in enumerate(items)
            for part in item.taken.ranges
        )
        starts: list[int] = []
        met: list[Outcome] = []
        open_: list[tuple[int, int]] = []  # (item, end) of what covers a hash, the first on top
        at = position = 0
        while at < self._size:
            while position < len(edges) and edges[position][0] <= at:
                _, number, end = edges[position]
                heappush(open_, (number, end))
                position += 1
            while open_ and open_[0][1] <= at:
                heappop(open_)
            now = items[open_[0][0]].outcome if open_ else LOST
            if not met or met[-1] != now:
                starts.append(at)
                met.append(now)
            following = edges[position][0] if position < len(edges) else self._size
            at = min(following, open_[0][1]) if open_ else following
        return Asked(Runs(starts, met), absent)


class Comparison:
    """Several states of the same hosts, asked with the same kinds of requests."""

    def __init__(
        self,
        states: Sequence[Serving],
        reading: Reading,
        hosts: Sequence[str],
        gateways: Sequence[str],
    ) -> None:
        names = Names(states)
        places: dict[str, int] = {}

        def does(fields: Fields, state: Serving) -> Outcome:
            return names.named(outcome(fields, state))

        self.versions = names.versions
        self.reading = reading
        specs = [state for state in states if state.compiled is not None]
        self.name = [*states, *specs][-1].name
        self.host = hosts[0]
        self.gateway = gateways[0]
        try:
            self.rules = [Rules(state, reading, does, places) for state in states]
        except TooManyHashes as error:
            raise Incomparable(f"{states[-1].name}: {error}; fewer --digits can be") from None
        self.kinds: Kinds = kinds([json.loads(text) for text in places], hosts, gateways)
        self.baseline = next(
            (one.compiled.checked.spec.experiment.baseline for one in specs[-1:] if one.compiled),
            None,
        )

    def notes(self) -> list[str]:
        """Return what was found out about the user hash, and what was not looked at."""
        found = [] if self.reading.note is None else [self.reading.note]
        return found + list(not_asked(self.kinds, self.name))

    def changes(self) -> list[Change]:
        """Return what moves between the first two states."""
        return _alike(change for kind in self.kinds.found for change in self._changed(kind))

    def returns(self) -> list[Change]:
        """Return who comes back, over all states, to what they had left."""
        found: list[Change] = []
        for kind in self.kinds.found:
            runs = [rules.ask(kind.held).runs for rules in self.rules]
            for move in comebacks_of(self.reading.universe, runs, nothing=LOST):
                found.append(self._move(kind, move, LOST)._replace(back=True))
        return _alike(found)

    def _changed(self, kind: Kind) -> Iterator[Change]:
        old, new = (rules.ask(kind.held) for rules in self.rules[:2])
        found = [
            move
            for move in moves(self.reading.universe, old.runs, new.runs)
            if move.before != LOST
        ]
        absent = (old.absent, new.absent)
        gone = new.runs.met == [LOST] and new.absent == LOST
        if gone and (found or old.absent != LOST):
            share = sum((move.share for move in found), Fraction(0))
            witness = found[0].witness if found else ABSENT
            yield self._change(kind, ROUTED, UNROUTED, Share(share), witness)
            return
        for move in found:
            yield self._move(kind, move, old.absent)
        if self.reading.header and absent[0] not in (absent[1], LOST):
            yield self._change(kind, shown(absent[0]), shown(absent[1]), NOBODY, ABSENT)._replace(
                back=self._back(*absent, old.absent)
            )

    def _move(self, kind: Kind, move: Move, fallback: Outcome) -> Change:
        before, after = move.before, move.after
        if not isinstance(before, Outcome) or not isinstance(after, Outcome):
            raise TypeError("the runs of rules are outcomes")
        change = self._change(kind, shown(before), shown(after), move.share, move.witness)
        return change._replace(
            back=self._back(before, after, fallback),
            prefixes=tuple(move.prefixes(self.reading.universe)),
            requests=Share(move.share * least_moved(before, after)),
        )

    def _back(self, before: Outcome, after: Outcome, fallback: Outcome) -> bool:
        """Tell whether users of a version return to the baseline.

        Without a spec it is what requests without a hash met before.
        """
        if self.baseline is not None:
            from_version = any(name in self.versions for name, _ in before.parts)
            return from_version and returns_to(self.baseline, before, after)
        known = [str(name) for name, _ in fallback.parts if name != UNROUTED]
        return len(known) == 1 and returns_to(known[0], before, after)

    def _change(self, kind: Kind, before: str, after: str, share: Share, witness: str) -> Change:
        return Change(
            experiment=self.name,
            host=self.host,
            route=in_short(kind.call, self.host, self.gateway),
            before=before,
            after=after,
            share=share,
            witness=witness,
            back=False,
            prefixes=(),
            kind=PATH if after == UNROUTED else VERSION,
            call=kind.call,
            requests=share,
        )


def in_short(call: Call, host: str, gateway: str) -> str:
    """Return a request in short: what is unusual in it, nothing for a plain one."""
    parts = [call.method] if call.method != "GET" else []
    name = call.host if call.host != some_host(host) else ""
    port = f":{call.port}" if call.port != 80 else ""
    if name or port or call.path != "/":
        parts.append(f"{name}{port}{call.path}")
    parts += [f"{header}:{lines[0]}" for header, lines in call.headers.items()]
    parts += [f"from {label}={text}" for label, text in call.labels.items()]
    parts += [f"from {call.namespace}"] if call.namespace else []
    parts += [call.scheme] if call.scheme != "http" else []
    parts += [f"at {call.gateway}"] if call.gateway != gateway else []
    return " ".join(parts)


def not_asked(known: Kinds, name: str) -> Iterator[str]:
    """Yield, in sentences, which kinds of requests were not compared."""
    number = len(known.unmet)
    if number:
        regexes = "1 condition" if number == 1 else f"{number} conditions"
        yield (
            f"{name}: no request is known for {regexes} with a regular expression; "
            "what only they match was not compared"
        )
    if known.cut:
        yield (
            f"{name}: there are too many combinations of paths and other conditions; "
            f"{len(known.found):,} kinds of requests were compared"
        )


def _alike(found: Iterator[Change] | Sequence[Change]) -> list[Change]:
    """Take kinds of requests that change in the same way together, under the first of them."""
    by_route: dict[tuple[str, str], list[Change]] = {}
    for change in found:
        by_route.setdefault((change.host, change.route), []).append(change)
    same: dict[tuple[Change, ...], list[list[Change]]] = {}
    for changes in by_route.values():
        key = tuple(change._replace(route="", call=None) for change in changes)
        same.setdefault(key, []).append(changes)
    return [
        change._replace(alike=len(group) - 1) for group in same.values() for change in group[0]
    ]
