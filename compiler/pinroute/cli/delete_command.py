"""pinroute delete: what click has to know; `deleting` does the work."""

from typing import Any

import click

from pinroute.cli.cluster_options import gateway_options, request_of, writing_options
from pinroute.cli.connection import choice_options, chosen_of, connection_options
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
def command(with_routes: bool, ignore_not_found: bool, **options: Any) -> int:
    """End experiments."""
    from pinroute.cli.deleting import delete
    from pinroute.cluster.deployment import Manner
    from pinroute.cluster.safety import Permissions

    # An end is an abort, too: nobody waits for a backend before everybody leaves it.
    permissions = Permissions(
        override_gitops=options["override_gitops"], allow_unready=True, allow_back=True
    )
    return delete(
        chosen_of(options),
        Manner(options["field_manager"], options["force_conflicts"], permissions=permissions),
        request_of(options),
        with_routes=with_routes,
        ignore_missing=ignore_not_found,
    )
