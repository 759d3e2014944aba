"""How the rules of one VirtualService share the users out among versions, without its spec.

Which hashes there are (`10 binary userhash`) stands in an annotation of what pinroute
compiles; without it, it is found out from the rules, and may be wrong.
"""

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from pinroute.change.model import Incomparable
from pinroute.change.outcome import (
    LOST,
    Destination,
    Names,
    Outcome,
    destination,
    outcome,
    shown,
    weighted,
)
from pinroute.change.reading import Reading, UserHashOptions, reading
from pinroute.change.services import Asked, Rules, in_short, not_asked
from pinroute.change.serving import Serving
from pinroute.istio.hashes import TooManyHashes
from pinroute.istio.read import read_rules
from pinroute.istio.requests import kinds
from pinroute.istio.resource import Fields, as_mapping, response_value
from pinroute.manifest.objects import USER_HASH
from pinroute.spec.resolve import ALPHABETS
from pinroute.table.measure import Share
from pinroute.table.universe import Universe

VERSION_HEADER = "version"


class RouteShares(NamedTuple):
    """What the users of one kind of requests meet, `request` in short, "" for a plain one.

    `absent` is what a request without a user hash meets. Without `sticky` some users draw
    a version for each request; a share is then one of requests.
    """

    request: str
    shares: tuple[tuple[str, Share], ...]
    absent: str
    sticky: bool


class Shares(NamedTuple):
    """The shares of a VirtualService, and where its versions are.

    The first route is the one that tells versions apart most. `assumed` tells that the
    user hash was found out from the rules.
    """

    routes: tuple[RouteShares, ...]
    places: Mapping[str, tuple[Destination, ...]]
    assumed: bool
    notes: tuple[str, ...] = ()


def user_hash_of(service: Fields) -> UserHashOptions:
    """Return what the annotation of a VirtualService says about user hashes."""
    notes = as_mapping(as_mapping(service.get("metadata")).get("annotations"))
    digits, _, rest = str(notes.get(USER_HASH) or "").partition(" ")
    alphabet, _, header = rest.rpartition(" ")
    known = digits.isascii() and digits.isdecimal() and 1 <= int(digits[:3]) <= 64
    if not known or len(set(alphabet)) < 2 or not header:
        return UserHashOptions()
    return UserHashOptions(header, alphabet, int(digits))


def shares_of(
    state: Serving, spec: Serving | None = None, version_header: str = VERSION_HEADER
) -> Shares:
    """Return the shares of a VirtualService; its spec, if known, names destinations.

    Raises Incomparable where they cannot be told.
    """
    options = user_hash_of(state.service)
    known = _reading(state, spec, options)
    names = Names([spec] if spec is not None else [state])

    def does(fields: Fields, owner: Serving) -> Outcome:
        return _versions(fields, owner, names, version_header)

    places: dict[str, int] = {}
    try:
        rules = Rules(state, known, does, places)
    except TooManyHashes as error:
        raise Incomparable(f"{state.name}: {error}") from None
    hosts = state.hosts or ("*",)
    asked = kinds([json.loads(text) for text in places], hosts, state.gateways)
    found: dict[tuple[object, ...], RouteShares] = {}
    for kind in asked.found:
        met = rules.ask(kind.held)
        request = in_short(kind.call, hosts[0], state.gateways[0])
        route = _route(request, met, known.universe)
        if route is not None:
            found.setdefault(tuple(route[1:]), route)
    routes = sorted(found.values(), key=lambda route: -len(route.shares))
    where = _places(state, names, version_header)
    assumed = not options.header and spec is None and bool(known.header)
    notes = list(not_asked(asked, state.name))
    if assumed:
        notes.insert(0, _assumption(state, known))
    return Shares(tuple(routes), where, assumed, tuple(notes))


def _reading(state: Serving, spec: Serving | None, options: UserHashOptions) -> Reading:
    try:
        return reading([state] if options.header or spec is None else [state, spec], options)
    except Incomparable:
        if options.header:
            problem = f"the rules do not fit its annotation {USER_HASH}"
        else:
            problem = f"its rules do not tell how user hashes look, and no annotation {USER_HASH}"
        raise Incomparable(f"{state.name}: {problem}") from None


def _assumption(state: Serving, known: Reading) -> str:
    alphabet = next(
        (name for name, own in ALPHABETS.items() if own == known.universe.alphabet),
        repr(known.universe.alphabet),
    )
    return (
        f"{state.name} has no annotation {USER_HASH}: the user hash is taken to be header "
        f"{known.header!r}, {known.universe.digits} {alphabet} digits; with the spec it is known"
    )


def _route(request: str, met: Asked, universe: Universe) -> RouteShares | None:
    """Return the shares of a kind of requests, None if nothing takes them."""
    sizes: dict[str, Fraction] = {}
    sticky = True
    ends = [*met.runs.starts[1:], universe.size]
    for start, end, one in zip(met.runs.starts, ends, met.runs.met, strict=True):
        if not isinstance(one, Outcome):
            raise TypeError("the runs of rules are outcomes")
        sticky = sticky and len(one.parts) == 1
        for name, part in one.parts:
            share = Fraction(end - start, universe.size) * part
            sizes[str(name)] = sizes.get(str(name), Fraction(0)) + share
    if met.runs.met == [LOST] and met.absent == LOST:
        return None
    shares = tuple((name, Share(share)) for name, share in sizes.items())
    largest = sorted(shares, key=lambda pair: (-pair[1], pair[0]))
    return RouteShares(request, tuple(largest), shown(met.absent), sticky)


def _versions(fields: Fields, owner: Serving, names: Names, header: str) -> Outcome:
    """Return what a rule does, by the version that it tells clients, else by destinations."""
    entries = weighted(fields)
    if not entries:
        return outcome(fields, owner)
    parts: dict[Destination | str, Fraction] = {}
    for entry, part in entries:
        name = response_value(entry, fields, header) or names.name(
            destination(entry, fields, owner)
        )
        parts[name] = parts.get(name, Fraction(0)) + part
    return Outcome(tuple(sorted(parts.items(), key=lambda pair: (-pair[1], str(pair[0])))))


def _places(state: Serving, names: Names, header: str) -> Mapping[str, tuple[Destination, ...]]:
    found: dict[str, dict[Destination, None]] = {}
    for name, where in _each(state, names, header):
        found.setdefault(name, {})[where] = None
    return {name: tuple(where) for name, where in found.items()}


def _each(state: Serving, names: Names, header: str) -> Iterator[tuple[str, Destination]]:
    for rule in read_rules(state.service):
        for entry, _ in weighted(rule.fields):
            where = destination(entry, rule.fields, state)
            yield response_value(entry, rule.fields, header) or names.name(where), where
