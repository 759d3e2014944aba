"""The objects of a kind, followed: what a watch tells, over lost connections and old versions."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pinroute.cluster.api.client import Client
from pinroute.cluster.api.exchange import FIRST_PAUSE, LONGEST_PAUSE
from pinroute.cluster.api.failure import Expired, ServerFailed, TimedOut, Unreachable
from pinroute.cluster.api.kinds import Body, Identity, Kind, identity_of

AT_A_TIME = 30.0  # seconds until a watch is begun anew
MOST_FAILURES = 5  # connections in a row that bring nothing


class Followed(NamedTuple):
    """Which objects: a kind, in a namespace or in all, with these labels."""

    kind: Kind
    namespace: str | None
    selector: str


def follow(
    client: Client,
    followed: Followed,
    seconds: float | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Body]]:
    """Yield all objects as they are, then again after each change, and every 30 seconds.

    It ends after so many seconds, if a number is given. Raises ClusterFailure, also when
    the connection is lost several times in a row.
    """
    end = now() + seconds if seconds is not None else None
    there, version = _read(client, followed)
    yield list(there.values())
    failures = 0
    while end is None or now() < end:
        left = AT_A_TIME if end is None else min(AT_A_TIME, end - now())
        try:
            for change in client.changes(*followed, version, left):
                failures = 0
                version = change.version or version
                if change.body is None:
                    continue
                what = identity_of(change.body)
                if change.there:
                    there[what] = change.body
                else:
                    there.pop(what, None)
                yield list(there.values())
            failures = 0
        except Expired:
            there, version = _read(client, followed)
        except (Unreachable, TimedOut, ServerFailed):
            failures += 1
            if failures == MOST_FAILURES:
                raise
            sleep(min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE))
        yield list(there.values())


def _read(client: Client, followed: Followed) -> tuple[dict[Identity, Body], str]:
    items, version = client.state(*followed)
    return {identity_of(body): body for body in items}, version
