"""What `pinroute delete` does: end experiments in routing to the baseline."""

from collections.abc import Sequence

from pinroute.cli.applying import Request, carry_through, standing
from pinroute.cli.connection import Chosen, connected, experiments, pass_on, tell
from pinroute.cli.exits import Exit
from pinroute.cli.planning import NOTHING_WRITTEN, plans, plans_or_exit
from pinroute.cli.terminal import err
from pinroute.cli.writing import Telling, write
from pinroute.cluster.api.client import Client
from pinroute.cluster.api.failure import ClusterFailure
from pinroute.cluster.deployment import Manner, Plan
from pinroute.cluster.ending import Ending, ending
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
        view = View(client)
        planned = plans_or_exit(found, view, manner)
        there = [one for one in planned if _is_there(one)]
        for one in planned:
            if not _is_there(one):
                err(f"not found: {one.steps[-1].what.key}\n")
        code = standing(there, view, client)
        if code != Exit.OK:
            err(NOTHING_WRITTEN)
            return code
        carry_through(there, client, manner, request)
        _end([one.compiled for one in there], client, manner, request, with_routes)
    except ClusterFailure as failure:
        return tell(failure)
    return Exit.OK if ignore_missing or len(there) == len(planned) else Exit.NO


def _end(
    found: Sequence[Compiled],
    client: Client,
    manner: Manner,
    request: Request,
    with_routes: bool,
) -> None:
    """Delete what nobody needs any more, of experiments that are at their end."""
    view = View(client)  # not the one of before the write
    for one in plans(found, view, manner):
        last = ending(one, view, with_routes=with_routes)
        _tell(one, last)
        telling = Telling(request.dry_run, request.output)
        write([one._replace(steps=last.steps)], client, manner, telling)
    pass_on(client)


def _is_there(plan: Plan) -> bool:
    """Tell whether the cluster has the VirtualService of an experiment."""
    return plan.steps[-1].live is not None


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
