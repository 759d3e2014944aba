"""What `pinroute apply` does: bring the live stage of experiments to a cluster."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pinroute.cli.connection import Chosen, connected, duration, experiments, pass_on, tell
from pinroute.cli.exits import Exit, Misuse
from pinroute.cli.planning import digest_of_plans, plans, say
from pinroute.cli.report import exit_code
from pinroute.cli.terminal import err
from pinroute.cli.writing import NONE, Stopped, Telling, write
from pinroute.cluster.arrival import gate, wait
from pinroute.cluster.client import Client
from pinroute.cluster.deployment import Manner, Plan
from pinroute.cluster.failure import ClusterFailure
from pinroute.cluster.gateways import Gateway, gateway
from pinroute.cluster.safety import Permissions
from pinroute.cluster.view import View
from pinroute.compilation import Compiled


class Request(NamedTuple):
    """What is asked of `apply`, beside which experiments and which cluster.

    `gateways` are URLs of Envoys' admin interfaces, `timeout` is how long they may take.
    """

    dry_run: str = NONE
    expected: str | None = None
    output: str = "text"
    gateways: tuple[str, ...] = ()
    timeout: str = "60s"


def manner_of(
    *,
    field_manager: str,
    force_conflicts: bool,
    prune: bool,
    adopt: bool,
    override_gitops: bool,
    allow_unready: bool,
    allow_back: bool,
    max_moved: Fraction | None,
) -> Manner:
    """Return how to write, as the options say."""
    permissions = Permissions(adopt, override_gitops, allow_unready, allow_back, max_moved)
    return Manner(field_manager, force_conflicts, prune, permissions)


def apply(chosen: Chosen, manner: Manner, request: Request) -> int:
    """Apply the chosen experiments."""
    found = experiments(chosen)
    try:
        client = connected(chosen)
        return bring(found, client, manner, request)
    except ClusterFailure as failure:
        return tell(failure)


def bring(found: Sequence[Compiled], client: Client, manner: Manner, request: Request) -> Exit:
    """Plan all experiments; if nothing stands against any of them, write them."""
    asked = [_gateway(url) for url in request.gateways]
    timeout = duration("--timeout", request.timeout)
    view = View(client)
    planned = plans(found, view, manner)
    findings = say(planned)
    pass_on(client, view.unseen())
    code = exit_code(findings)
    if code == Exit.OK and request.expected is not None:
        code = _as_reviewed(planned, request.expected)
    if code != Exit.OK:
        err("nothing was written\n")
        return code
    at = gate(asked, timeout)
    try:
        written = write(planned, client, manner, Telling(request.dry_run, request.output))
    except Stopped as stopped:
        return stopped.code
    finally:
        pass_on(client)
    if request.dry_run == NONE and asked:
        wait(written, at, client, manner)
        many = f"{len(asked)} gateways have" if len(asked) > 1 else "the gateway has"
        err(f"{many} the routes\n")
    return Exit.OK


def _gateway(url: str) -> Gateway:
    found = gateway(url)
    if found is None:
        raise Misuse(f"--gateway-admin {url!r} is no URL such as http://127.0.0.1:15000")
    return found


def _as_reviewed(planned: Sequence[Plan], expected: str) -> Exit:
    digest = digest_of_plans(planned)
    if digest == expected:
        return Exit.OK
    err(
        f"Error: the change is not the one that was reviewed: its digest is {digest}, not "
        f"{expected}\n  hint: look at it again with 'pinroute diff'\n"
    )
    return Exit.NO
