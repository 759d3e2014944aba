"""pinroute delete: what click has to know; `deleting` does the work."""

from typing import Any

import click

from pinroute.cli.cluster_options import gateway_options, writing_options
from pinroute.cli.connection import Chosen, choice_options, connection_options
from pinroute.cli.exits import epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options


@click.command(
    "delete",
    context_settings=SETTINGS,
    epilog=epilog(),
    help="""End experiments: everybody meets the baseline, and no host loses its route.

    The VirtualService is brought to stage `done` first. It is deleted then only if somebody
    else serves its hosts; otherwise it stays, with one rule to the baseline, because without
    it every request would meet a 404. DestinationRules go with it; InferenceServices stay.

    \b
      pinroute delete -f experiment.yaml
      pinroute delete -f experiment.yaml --with-routes     # its hosts answer 404 from then on
    """,
)
@input_options
@choice_options(stage=False)
@click.option(
    "--with-routes", is_flag=True, help="Delete the VirtualService even if hosts lose their route."
)
@click.option(
    "--ignore-not-found", is_flag=True, help="An experiment that is not there is no error."
)
@writing_options
@gateway_options
@connection_options
def command(
    with_routes: bool,
    ignore_not_found: bool,
    dry_run: str,
    override_gitops: bool,
    force_conflicts: bool,
    field_manager: str,
    output: str,
    gateways: tuple[str, ...],
    timeout: str,
    **choice: Any,
) -> int:
    """End experiments."""
    from pinroute.cli.applying import Request, manner_of
    from pinroute.cli.deleting import delete

    manner = manner_of(
        field_manager=field_manager,
        force_conflicts=force_conflicts,
        override_gitops=override_gitops,
        allow_unready=True,
        allow_back=True,
    )
    return delete(
        Chosen(stage=None, **choice),
        manner,
        Request(dry_run, None, output, gateways, timeout),
        with_routes=with_routes,
        ignore_missing=ignore_not_found,
    )
