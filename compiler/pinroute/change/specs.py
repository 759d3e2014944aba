"""Two compiled stages compared, entry by entry of `route.http`, over every user hash."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinroute.change.model import (
    NOBODY,
    OWNERS,
    PATH,
    ROUTED,
    UNROUTED,
    WHOLE,
    Change,
    Incomparable,
)
from pinroute.change.serving import condition_text
from pinroute.compilation import Compiled
from pinroute.istio.evaluate import Call
from pinroute.istio.requests import Kinds, kinds
from pinroute.istio.routelist import RouteList
from pinroute.spec.model import UserHash
from pinroute.stages.parts import Part
from pinroute.table.difference import ABSENT
from pinroute.table.history import comebacks
from pinroute.table.impact import impact
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


class _Pair(NamedTuple):
    """Two states of one experiment at a host that both serve."""

    before: Compiled
    after: Compiled
    host: str


def spec_changes(
    before: Compiled, after: Compiled, hosts: Sequence[str], gateways: Sequence[str]
) -> tuple[list[Change], Kinds]:
    """Return what moves between two states of an experiment, and the requests it was asked with."""
    pair = _Pair(before, after, hosts[0])
    old, new = before.stages[0], after.stages[0]
    namespace = after.checked.spec.experiment.route.namespace
    texts = {
        id(item.condition): condition_text(item.condition, namespace)
        for item in (*old.routes.items, *new.routes.items)
    }
    conditions = list(dict.fromkeys(texts.values()))
    place = {text: number for number, text in enumerate(conditions)}
    numbers = {key: place[text] for key, text in texts.items()}
    known = kinds([json.loads(text) for text in conditions], hosts, gateways)
    takers: dict[tuple[str, str | None], Call] = {}
    for call, held in known.found:
        route = _taker(old.routes, held, numbers)
        if route is not None:
            takers.setdefault((route, _taker(new.routes, held, numbers)), call)
    order = old.routes.routes()
    found: list[Change] = []
    for route, taker in sorted(takers, key=lambda key: order.index(key[0])):
        call = takers[route, taker]
        table = old.tables.get(route)
        if taker is None:
            found.append(_lost(pair, route, table, call))
        elif table is not None and taker in new.tables:
            found += _moves(pair, route, table, new.tables[taker], call)
        elif table is not None:
            # The route takes no part any more: everybody meets what the raw rule says.
            change = _lost(pair, route, table, call)
            found.append(change._replace(after=f"route {taker}", kind="version"))
    return found, known


def _taker(routes: RouteList, held: frozenset[int], numbers: dict[int, int]) -> str | None:
    """Return the route that takes a kind of requests, None for nobody."""
    return next((item.route for item in routes.items if numbers[id(item.condition)] in held), None)


def _lost(pair: _Pair, route: str, table: Table | None, call: Call) -> Change:
    name = pair.after.checked.spec.experiment.name
    witness = table.universe.first("") if table is not None else ABSENT
    return Change(
        name,
        pair.host,
        route,
        ROUTED,
        UNROUTED if pair.after.checked.owner is None else OWNERS,
        WHOLE,
        witness,
        back=False,
        prefixes=(),
        kind=PATH,
        call=call,
        requests=WHOLE,
    )


def _moves(pair: _Pair, route: str, old: Table, new: Table, call: Call) -> Iterator[Change]:
    experiment = pair.after.checked.spec.experiment
    old, new = comparable(old, new, pair.before, pair.after)
    for move in impact(old, new, _version):
        yield Change(
            experiment.name,
            pair.host,
            route,
            str(move.before),
            str(move.after),
            move.share,
            move.witness,
            move.after == experiment.baseline,
            tuple(move.prefixes(new.universe)),
            call=call,
            requests=move.share,
        )
    first, second = _version(old.leaf(None)), _version(new.leaf(None))
    if first != second:
        yield Change(
            experiment.name,
            pair.host,
            route,
            first,
            second,
            NOBODY,
            ABSENT,
            second == experiment.baseline,
            (),
            call=call,
            requests=NOBODY,
        )


def _version(leaf: Leaf) -> str:
    part = leaf.attribution
    return part.version if isinstance(part, Part) else str(part)


def comparable(old: Table, new: Table, before: Compiled, after: Compiled) -> tuple[Table, Table]:
    """Bring two tables to one universe: more digits only tell users apart more finely."""
    first, second = user_hash(before), user_hash(after)
    if not _read_alike(first, second):
        raise Incomparable(
            f"the user hash of {after.checked.spec.experiment.name!r} is read differently: "
            f"{first.source.kind} {first.source.name!r} of {first.alphabet!r}, "
            f"now {second.source.kind} {second.source.name!r} of {second.alphabet!r}"
        )
    if old.universe.digits == new.universe.digits:
        return old, new
    if old.strict or new.strict:
        raise Incomparable("userHash.digits has changed, and with strict no old hash is a new one")
    universe = Universe(first.alphabet, max(old.universe.digits, new.universe.digits))
    return old._replace(universe=universe), new._replace(universe=universe)


def user_hash(compiled: Compiled) -> UserHash:
    """Return how the user hash of an experiment looks."""
    return compiled.checked.spec.experiment.user_hash


def _read_alike(one: UserHash, two: UserHash) -> bool:
    """Tell whether two user hashes are the same text; header names have no case."""
    sources = {
        (source.kind, source.name.lower() if source.kind == "header" else source.name)
        for source in (one.source, two.source)
    }
    return len(sources) == 1 and one.alphabet == two.alphabet


def _same_users(one: UserHash, two: UserHash) -> bool:
    """Tell whether it is known which hash of one state is which hash of the other."""
    finer = one.digits != two.digits and (one.strict or two.strict)
    return _read_alike(one, two) and not finer


def spec_returns(states: Sequence[Compiled]) -> list[Change]:
    """Return the users of an experiment's history who come back to a version they had left.

    `states` are its compiled live stages, the oldest first, from the last change of the
    user hash on: nobody knows which hash of before is which one of now. Only entries of
    `route.http` that the newest state has are compared.
    """
    newest = states[-1]
    own = user_hash(newest)
    strange = [
        number for number, state in enumerate(states) if not _same_users(user_hash(state), own)
    ]
    states = states[strange[-1] + 1 :] if strange else states
    found: list[Change] = []
    experiment = newest.checked.spec.experiment
    for route in newest.stages[0].tables:
        tables = [
            state.stages[0].tables[route] for state in states if route in state.stages[0].tables
        ]
        universe = max((table.universe for table in tables), key=lambda item: item.digits)
        for move in comebacks([table._replace(universe=universe) for table in tables], _version):
            found.append(
                Change(
                    experiment.name,
                    next(iter(experiment.route.hosts), ""),
                    route,
                    str(move.before),
                    str(move.after),
                    move.share,
                    move.witness,
                    True,
                    tuple(move.prefixes(universe)),
                    requests=move.share,
                )
            )
    return found
