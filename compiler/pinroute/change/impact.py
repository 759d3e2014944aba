"""What a change does to the users of every host: which state of now serves them, and how."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pinroute.change.model import (
    GATEWAY,
    HOST,
    OWNERS,
    ROUTED,
    UNROUTED,
    WHOLE,
    Change,
    Impact,
    Overlap,
)
from pinroute.change.overlap import other_shares, overlaps
from pinroute.change.reading import UserHashOptions, reading
from pinroute.change.services import Comparison, not_asked
from pinroute.change.serving import Serving, State, servings
from pinroute.change.specs import spec_changes, spec_returns
from pinroute.compilation import Compiled
from pinroute.istio.evaluate import Call
from pinroute.istio.resource import some_host

FIND_OUT = UserHashOptions()


class _Pair(NamedTuple):
    """Two states, and the hosts and gateways that both serve."""

    before: Serving
    after: Serving
    hosts: list[str]
    gateways: list[str]


def impact_of(
    old: Iterable[State], new: Iterable[State], options: UserHashOptions = FIND_OUT
) -> Impact:
    """Return what moves between two states: experiments and VirtualServices, in any mixture.

    A host belongs to the experiment or VirtualService of the same name, else to whichever
    serves it now. What is only in the new state moves nobody: there was no rule before.
    Raises Incomparable.
    """
    now = servings(new)
    changes: list[Change] = []
    shared: list[Overlap] = []
    notes: list[str] = []
    for before in servings(old):
        lost, pairs = _matched(before, now)
        changes += lost
        for pair in pairs:
            found, told = _compared(pair, options)
            changes += found
            notes += told
            one, two = pair.before.compiled, pair.after.compiled
            if one is not None and two is not None:
                shared += overlaps(one, two)
    shares = [
        share
        for state in now
        if state.compiled is not None
        for share in other_shares(state.compiled)
    ]
    return Impact(tuple(changes), tuple(shared), tuple(shares), tuple(dict.fromkeys(notes)))


def returns(states: Sequence[State], options: UserHashOptions = FIND_OUT) -> Impact:
    """Return the users who come back to what they had left, over a history, the oldest first.

    `states` are of one experiment, or of one VirtualService.
    """
    specs = [state for state in states if isinstance(state, Compiled)]
    if len(specs) == len(states):
        return Impact(tuple(spec_returns(specs)))
    known = [one for state in states for one in servings([state])]
    newest = known[-1]
    compared = Comparison(known, reading(known, options), newest.hosts or ("*",), newest.gateways)
    return Impact(tuple(compared.returns()), notes=tuple(compared.notes()))


def _matched(before: Serving, now: Sequence[Serving]) -> tuple[list[Change], list[_Pair]]:
    """Return the hosts and gateways that nobody serves any more, and who serves the others."""
    own_first = sorted(now, key=lambda other: not other.is_of(before))
    lost: list[Change] = []
    pairs: dict[int, _Pair] = {}
    for host in before.hosts or ("*",):
        takers = {
            gateway: next(
                (other for other in own_first if _takes(other, before, host, gateway)), None
            )
            for gateway in before.gateways
        }
        missing = [gateway for gateway, taker in takers.items() if taker is None]
        if len(missing) == len(takers) and not any(
            _takes(other, before, host, gateway) for other in now for gateway in other.gateways
        ):
            lost.append(_lost(before, host, HOST))
            continue
        lost += [_lost(before, host, GATEWAY, gateway) for gateway in missing]
        for gateway, taker in takers.items():
            if taker is None:
                continue
            pair = pairs.setdefault(id(taker), _Pair(before, taker, [], []))
            pair.hosts.extend([host] if host not in pair.hosts else [])
            pair.gateways.extend([gateway] if gateway not in pair.gateways else [])
    return lost, list(pairs.values())


def _takes(other: Serving, before: Serving, host: str, gateway: str) -> bool:
    if before.delegate or other.delegate:
        # Its hosts and gateways are those of a VirtualService that we do not see.
        return other.is_of(before) and (before.delegate or other.serves(host, gateway))
    return other.serves(host, gateway)


def _lost(before: Serving, host: str, kind: str, gateway: str = "") -> Change:
    table = None
    if before.compiled is not None:
        table = next(iter(before.compiled.stages[0].tables.values()), None)
    owned = before.compiled is not None and before.compiled.checked.owner is not None
    call = Call(some_host(host), gateway=gateway or before.gateways[0])
    return Change(
        before.name,
        host,
        "",
        ROUTED,
        OWNERS if owned else UNROUTED,
        WHOLE,
        table.universe.first("") if table is not None else "",
        back=False,
        prefixes=(),
        kind=kind,
        gateway=gateway,
        call=call,
        requests=WHOLE,
    )


def _compared(pair: _Pair, options: UserHashOptions) -> tuple[list[Change], list[str]]:
    one, two = pair.before.compiled, pair.after.compiled
    if one is not None and two is not None:
        found, known = spec_changes(one, two, pair.hosts, pair.gateways)
        return found, list(not_asked(known, pair.after.name))
    states = (pair.before, pair.after)
    compared = Comparison(states, reading(states, options), pair.hosts, pair.gateways)
    return compared.changes(), compared.notes()
