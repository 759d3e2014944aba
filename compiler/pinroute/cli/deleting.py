"""What `pinroute delete` does: end experiments in routing to the baseline."""

from collections.abc import Sequence

from pinroute.cli.applying import Request, gateways_of
from pinroute.cli.connection import Chosen, connected, duration, experiments, pass_on, tell
from pinroute.cli.exits import Exit
from pinroute.cli.planning import NOTHING_WRITTEN, plans_or_exit, say
from pinroute.cli.report import exit_code
from pinroute.cli.terminal import err
from pinroute.cli.writing import NONE, Stopped, Telling, write
from pinroute.cluster.arrival import gate, wait
from pinroute.cluster.client import Client
from pinroute.cluster.deployment import Manner, Plan
from pinroute.cluster.ending import Ending, ending
from pinroute.cluster.failure import ClusterFailure
from pinroute.cluster.view import View
from pinroute.compilation import Compiled

DONE = "done"


def delete(
    chosen: Chosen, manner: Manner, request: Request, *, with_routes: bool, ignore_missing: bool
) -> int:
    """End the chosen experiments."""
    found = experiments(chosen._replace(stage=DONE))
    try:
        client = connected(chosen)
        return _end(found, client, manner, request, with_routes, ignore_missing)
    except ClusterFailure as failure:
        return tell(failure)
    except Stopped as stopped:
        return stopped.code


def _end(
    found: Sequence[Compiled],
    client: Client,
    manner: Manner,
    request: Request,
    with_routes: bool,
    ignore_missing: bool,
) -> Exit:
    asked = gateways_of(request)
    timeout = duration("--timeout", request.timeout)
    view = View(client)
    planned = plans_or_exit(found, view, manner)
    there = [one for one in planned if one.steps[-1].live is not None]
    for one in planned:
        if one not in there:
            err(f"not found: {one.steps[-1].what.key}\n")
    findings = say(there)
    pass_on(client, view.unseen())
    code = exit_code(findings)
    if code != Exit.OK:
        err(NOTHING_WRITTEN)
        return code
    telling = Telling(request.dry_run, request.output)
    at = gate(asked, timeout)
    written = write(there, client, manner, telling)
    if request.dry_run == NONE and asked:
        wait(written, at, client, manner)
    fresh = View(client) if request.dry_run == NONE else view
    for one in plans_or_exit([plan.compiled for plan in there], fresh, manner):
        last = ending(one, fresh, with_routes=with_routes)
        _tell(one, last)
        write([one._replace(steps=last.steps)], client, manner, telling)
    pass_on(client)
    return Exit.OK if ignore_missing or len(there) == len(planned) else Exit.NO


def _tell(plan: Plan, last: Ending) -> None:
    key = plan.steps[-1].what.key
    baseline = plan.compiled.checked.spec.experiment.baseline
    if last.kept_for:
        hosts = ", ".join(last.kept_for)
        err(
            f"{key} stays, at stage done: everybody meets {baseline}, and nobody else serves "
            f"{hosts}\n  hint: --with-routes deletes it all the same\n"
        )
    elif last.takers:
        err(f"{key} goes: its hosts are served by {', '.join(last.takers)}\n")
