"""What is said about a change: who meets something else, and who loses a route."""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from pinroute.istio.evaluate import Call
from pinroute.table.measure import Share

UNROUTED = "unrouted"
OWNERS = "the owner's rules"  # in a file of another owner, those behind ours take over
LOST = frozenset({UNROUTED, OWNERS})
ROUTED = "routed"
WHOLE = Share(Fraction(1))
NOBODY = Share(Fraction(0))

VERSION, PATH, HOST, GATEWAY = "version", "path", "host", "gateway"


class Change(NamedTuple):
    """Some users of one route who meet another version than before.

    `share` is the part of the universe; requests without a hash have share 0 and the
    witness `<absent>`. `back` tells that they return to the baseline. `prefixes` is the
    smallest set of disjoint prefixes that names the users.

    `kind` is `version`, or what is lost: `path`, `host` or `gateway`. `call` is a request
    of theirs, `alike` counts further kinds of requests that change in the same way.
    `requests` is the least part of all requests that go elsewhere: less than `share`
    where a weighted split, which draws for every request, is involved.
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
    kind: str = VERSION
    gateway: str = ""
    call: Call | None = None
    alike: int = 0
    requests: Share | None = None


class Overlap(NamedTuple):
    """Of the users of a group, the part that was in a group of the rotation before."""

    experiment: str
    group: str
    before: str
    share: Share


class OtherShare(NamedTuple):
    """A group whose share is not the one that it asks for: `maxRules` or `tolerance` allow it."""

    experiment: str
    group: str
    wanted: Share
    share: Share


class Impact(NamedTuple):
    """What a change does; `notes` say what was assumed or not looked at, in sentences."""

    changes: tuple[Change, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    shares: tuple[OtherShare, ...] = ()
    notes: tuple[str, ...] = ()


class Incomparable(Exception):
    """The two states have no users in common that anybody could name; the message says why."""


def moved(found: Iterable[Change]) -> Share:
    """Return the largest share of users that moves in any one route of any experiment."""
    totals: dict[tuple[str, ...], Fraction] = {}
    for change in found:
        # One route may be taken over by several: then its requests differ.
        key = (change.experiment, change.host, change.route, repr(change.call))
        totals[key] = totals.get(key, Fraction(0)) + change.share
    return Share(max(totals.values(), default=Fraction(0)))
