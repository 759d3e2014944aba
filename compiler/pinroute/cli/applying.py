"""What `pinroute apply` does: bring the live stage of experiments to a cluster."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pinroute.cli.connection import (
    Chosen,
    connected,
    experiments,
    pass_on,
    tell,
)
from pinroute.cli.exits import Exit, Misuse
from pinroute.cli.planning import NOTHING_WRITTEN, digest_of_plans, plans_or_exit, say
from pinroute.cli.report import exit_code
from pinroute.cli.terminal import err
from pinroute.cli.writing import NONE, Telling, write
from pinroute.cluster.api.client import Client
from pinroute.cluster.api.failure import ClusterFailure
from pinroute.cluster.arrival import gate, wait
from pinroute.cluster.deployment import Manner, Plan
from pinroute.cluster.gateways import Gateway
from pinroute.cluster.view import View
from pinroute.compilation import Compiled


class Request(NamedTuple):
    """What is asked of `apply`, beside which experiments and which cluster.

    `gateways` are asked afterwards, `timeout` is how many seconds they may take.
    """

    dry_run: str
    output: str
    gateways: Sequence[Gateway]
    timeout: float
    expected: str | None = None


def apply(chosen: Chosen, manner: Manner, request: Request) -> int:
    """Apply the chosen experiments."""
    expected = request.expected
    if expected is not None and re.fullmatch("[0-9a-f]{16}", expected) is None:
        raise Misuse(f"--expect-digest {expected!r}: 'pinroute diff' prints 16 digits of 0-9a-f")
    found = experiments(chosen)
    try:
        client = connected(chosen)
        return bring(found, client, manner, request)
    except ClusterFailure as failure:
        return tell(failure)


def bring(found: Sequence[Compiled], client: Client, manner: Manner, request: Request) -> Exit:
    """Plan all experiments; if nothing stands against any of them, write them."""
    view = View(client)
    planned = plans_or_exit(found, view, manner)
    code = standing(planned, view, client)
    if code == Exit.OK and request.expected is not None:
        code = _as_reviewed(planned, request.expected)
    if code != Exit.OK:
        err(NOTHING_WRITTEN)
        return code
    carry_through(planned, client, manner, request)
    return Exit.OK


def standing(planned: Sequence[Plan], view: View, client: Client) -> Exit:
    """Print who moves and what stands against plans; return whether they may be carried out."""
    findings = say(planned)
    pass_on(client, view.unseen())
    return exit_code(findings)


def carry_through(
    planned: Sequence[Plan], client: Client, manner: Manner, request: Request
) -> None:
    """Write plans, and wait until the gateways that are asked have the routes.

    Raises Ended where a write failed, ClusterFailure where a gateway does not follow.
    """
    asked = request.gateways
    try:
        at = gate(asked, request.timeout)
    except ClusterFailure:
        err(NOTHING_WRITTEN)
        raise
    try:
        written = write(planned, client, manner, Telling(request.dry_run, request.output))
    finally:
        pass_on(client)
    if request.dry_run == NONE and asked:
        wait(written, at, client, manner)
        many = f"{len(asked)} gateways have" if len(asked) > 1 else "the gateway has"
        err(f"{many} the routes\n")


def _as_reviewed(planned: Sequence[Plan], expected: str) -> Exit:
    digest = digest_of_plans(planned)
    if digest == expected:
        return Exit.OK
    err(
        f"Error: the change is not the one that was reviewed: its digest is {digest}, not "
        f"{expected}\n  hint: look at it again with 'pinroute diff'\n"
    )
    return Exit.NO
