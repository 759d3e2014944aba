"""After a write: has every gateway the new routes, or does one refuse them?

A gateway that refuses a configuration keeps the old one for all hosts of the port, and one
that starts meanwhile answers 404 to everybody; so a refused write is taken back at once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pinroute.cluster.api.client import Client
from pinroute.cluster.api.failure import ClusterFailure
from pinroute.cluster.api.kinds import VIRTUAL_SERVICE
from pinroute.cluster.comparison import own_fields
from pinroute.cluster.deployment import Manner, Write
from pinroute.cluster.gateways import Gateway, table_of

POLL_SECONDS = 0.05


class Refused(ClusterFailure):
    """A gateway does not take the routes; the write was taken back."""


class NotArrived(ClusterFailure):
    """Not every gateway has the new routes in time; they are written all the same."""

    timed_out = True


class Gate(NamedTuple):
    """The gateways that are asked, what each had refused before the write, and how long to wait."""

    before: Mapping[Gateway, int]
    timeout: float


def gate(gateways: Sequence[Gateway], timeout: float) -> Gate:
    """Note where the gateways stand before a write; raises GatewaySilent."""
    return Gate({one: one.refused() for one in gateways}, timeout)


def wait(written: Sequence[Write], at: Gate, client: Client, manner: Manner) -> None:
    """Wait until every gateway has every table that was written.

    Raises Refused, after the writes were taken back, NotArrived, or GatewaySilent.
    """
    tables = [
        table
        for one in written
        if one.after is not None
        and _has_routes(one)
        and (table := table_of(one.after)) is not None
    ]
    end = time.monotonic() + at.timeout
    missing = [(asked, table) for asked in at.before for table in tables]
    while missing:
        missing = [(asked, table) for asked, table in missing if not table.is_on(asked)]
        refusing = [asked for asked, before in at.before.items() if asked.refused() > before]
        if missing and refusing:
            raise Refused(
                f"gateway {refusing[0].admin} refuses the routes; "
                f"{', '.join(_taken_back(written, client, manner)) or 'nothing was taken back'}",
                "its log and 'istioctl proxy-status' say why",
            )
        if missing and time.monotonic() > end:
            asked, table = missing[0]
            raise NotArrived(
                f"after {at.timeout:g} s gateway {asked.admin} does not have the routes of "
                f"VirtualService {table.namespace}/{table.name}",
                "they are written; look at 'istioctl proxy-status', and whether the gateway serves the host",
            )
        if missing:
            time.sleep(POLL_SECONDS)


def _has_routes(one: Write) -> bool:
    return one.step.what.kind.name == VIRTUAL_SERVICE.name


def _taken_back(written: Sequence[Write], client: Client, manner: Manner) -> Iterator[str]:
    """Undo the writes of routes, the last first; yield what became of each in words."""
    for one in reversed(written):
        if not _has_routes(one) or one.after is None or not one.step.changes:
            continue
        key = one.step.what.key
        try:
            if one.step.live is None:
                client.delete(one.after)
                yield f"{key} was deleted again"
                continue
            body = own_fields(one.step.live)
            version = one.after["metadata"]["resourceVersion"]
            body["metadata"] = {**body["metadata"], "resourceVersion": version}
            client.apply(body, manager=manner.manager, force=True)
            yield f"{key} has its rules of before again"
        except ClusterFailure as failure:
            yield f"{key} could not be taken back: {failure}"
