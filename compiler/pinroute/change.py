"""What a change does to users: who meets another version, who loses a route.

Two compiled stages are compared, entry by entry of `route.http`, over every user hash.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from pinroute.compilation import Compiled
from pinroute.istio.condition import HttpRequest, example, satisfies
from pinroute.istio.routelist import RouteList
from pinroute.spec.model import UserHash
from pinroute.stages.parts import Part
from pinroute.table.difference import ABSENT
from pinroute.table.history import comebacks
from pinroute.table.impact import impact
from pinroute.table.measure import Share
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe

UNROUTED = "unrouted"
OWNERS = "the owner's rules"  # in a file of another owner, those behind ours take over
LOST = frozenset({UNROUTED, OWNERS})
WHOLE = Share(Fraction(1))
NOBODY = Share(Fraction(0))


class Change(NamedTuple):
    """Some users of one route who meet another version than before.

    `share` is the part of the universe; requests without a hash have share 0 and the
    witness `<absent>`. `back` tells that they return to the baseline. `prefixes` is the
    smallest set of disjoint prefixes that names the users.
    """

    experiment: str
    host: str
    route: str
    before: str
    after: str
    share: Share
    witness: str
    back: bool
    prefixes: tuple[str, ...]


class Incomparable(Exception):
    """The user hash itself has changed: nobody knows which old hash is which new one."""


def changes(old: Iterable[Compiled], new: Iterable[Compiled]) -> list[Change]:
    """Return what moves between two states, experiments matched by namespace and name.

    An experiment that is only in the new state moves nobody: there was no rule before.
    """
    known = {identity(compiled): compiled for compiled in new}
    found: list[Change] = []
    for before in old:
        after = known.get(identity(before))
        found += _removed(before) if after is None else _changed(before, after)
    return found


def moved(found: Iterable[Change]) -> Share:
    """Return the largest share of users that moves in any one route of any experiment."""
    totals: dict[tuple[str, str, str], Fraction] = {}
    for change in found:
        key = (change.experiment, change.host, change.route)
        totals[key] = totals.get(key, Fraction(0)) + change.share
    return Share(max(totals.values(), default=Fraction(0)))


def identity(compiled: Compiled) -> tuple[str, str]:
    """Return the namespace and name by which an experiment is known in two states."""
    experiment = compiled.checked.spec.experiment
    return experiment.namespace or "default", experiment.name


def _hosts(compiled: Compiled) -> tuple[str, ...]:
    return compiled.checked.spec.experiment.route.hosts


def _lost(compiled: Compiled, host: str, route: str, table: Table | None) -> Change:
    name = compiled.checked.spec.experiment.name
    witness = table.universe.first("") if table is not None else ABSENT
    after = UNROUTED if compiled.checked.owner is None else OWNERS
    return Change(name, host, route, "routed", after, WHOLE, witness, False, ())


def _removed(compiled: Compiled) -> Iterator[Change]:
    """Yield the loss of every host: without a VirtualService of its own they answer 404."""
    table = next(iter(compiled.stages[0].tables.values()), None)
    for host in _hosts(compiled):
        yield _lost(compiled, host, "", table)


def _changed(before: Compiled, after: Compiled) -> Iterator[Change]:
    hosts = [host.lower() for host in _hosts(after)]
    for host in _hosts(before):
        if host.lower() not in hosts:
            table = next(iter(before.stages[0].tables.values()), None)
            yield _lost(before, host, "", table)
    kept = next((host for host in _hosts(before) if host.lower() in hosts), None)
    if kept is None:
        return
    old, new = before.stages[0], after.stages[0]
    for route in old.routes.routes():
        table = old.tables.get(route)
        for taker in _takers(old.routes, new.routes, route, kept):
            if taker is None:
                yield _lost(before, kept, route, table)
            elif table is not None and taker in new.tables:
                yield from _moves(before, after, kept, route, table, new.tables[taker])
            elif table is not None:
                # The route takes no part any more: everybody meets what the raw rule says.
                yield _lost(before, kept, route, table)._replace(after=f"route {taker}")


def _takers(old: RouteList, new: RouteList, route: str, host: str) -> list[str | None]:
    """Return the new routes that take a route's requests, None for nobody: one example a match."""
    conditions = {id(item.condition): item.condition for item in old.of_route(route)}
    requests = [example(condition, host) for condition in conditions.values()]
    takers = [_route_of(new, request) for request in requests if request is not None]
    return list(dict.fromkeys(takers))


def _route_of(routes: RouteList, request: HttpRequest) -> str | None:
    return next((item.route for item in routes.items if satisfies(item.condition, request)), None)


def _moves(
    before: Compiled, after: Compiled, host: str, route: str, old: Table, new: Table
) -> Iterator[Change]:
    experiment = after.checked.spec.experiment
    old, new = _comparable(old, new, before, after)
    for move in impact(old, new, _version):
        yield Change(
            experiment.name,
            host,
            route,
            str(move.before),
            str(move.after),
            move.share,
            move.witness,
            move.after == experiment.baseline,
            tuple(move.prefixes(new)),
        )
    first, second = _version(old.leaf(None)), _version(new.leaf(None))
    if first != second:
        back = second == experiment.baseline
        yield Change(experiment.name, host, route, first, second, NOBODY, ABSENT, back, ())


def _version(leaf: Leaf) -> str:
    part = leaf.attribution
    return part.version if isinstance(part, Part) else str(part)


def _comparable(old: Table, new: Table, before: Compiled, after: Compiled) -> tuple[Table, Table]:
    """Bring two tables to one universe: more digits only tell users apart more finely."""
    first, second = _user_hash(before), _user_hash(after)
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


def _user_hash(compiled: Compiled) -> UserHash:
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


def returns(states: Sequence[Compiled]) -> list[Change]:
    """Return the users of an experiment's history who come back to a version they had left.

    `states` are its compiled live stages, the oldest first, from the last change of the
    user hash on: nobody knows which hash of before is which one of now. Only entries of
    `route.http` that the newest state has are compared.
    """
    newest = states[-1]
    own = _user_hash(newest)
    strange = [
        number for number, state in enumerate(states) if not _same_users(_user_hash(state), own)
    ]
    states = states[strange[-1] + 1 :] if strange else states
    found: list[Change] = []
    for route in newest.stages[0].tables:
        tables = [
            state.stages[0].tables[route] for state in states if route in state.stages[0].tables
        ]
        universe = max((table.universe for table in tables), key=lambda item: item.digits)
        for move in comebacks([table._replace(universe=universe) for table in tables], _version):
            found.append(
                Change(
                    newest.checked.spec.experiment.name,
                    _hosts(newest)[0],
                    route,
                    str(move.before),
                    str(move.after),
                    move.share,
                    move.witness,
                    True,
                    tuple(move.prefixes(tables[-1]._replace(universe=universe))),
                )
            )
    return found
