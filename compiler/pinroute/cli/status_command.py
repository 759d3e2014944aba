"""pinroute status: what click has to know; `listing` does the work."""

from typing import Any

import click

from pinroute.cli.cluster_options import counters_option
from pinroute.cli.connection import chosen_of, connection_options
from pinroute.cli.exits import epilog
from pinroute.cli.group import SETTINGS


@click.command(
    "status",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Show how experiments stand in a cluster.",
    help="""Show how experiments stand in a cluster: who meets what, and is it as it should be?

    All of it is read from the live VirtualServices: SHARES are those that their rules make,
    not those that somebody meant. READY counts the versions whose backends take requests.
    DRIFT is `edited` where the rules are no longer those that pinroute wrote, with a spec
    also `other`: those of another stage or spec. A '~' stands before shares that are found
    out from the rules alone; with a spec they are certain.

    With --gateway-admin the gateways' counters say which part of the requests of all since
    their start carried no user hash; that needs a group of its own for them in the spec
    (`fallback.noHash` that is not `fallback.unassigned`).

    \b
      pinroute status                     # the namespace of the context
      pinroute status -A -w
      pinroute status checkout -n shop -o json
      pinroute status experiments/checkout.yaml
      kubectl port-forward -n istio-system GATEWAY-POD 15000 &
      pinroute status checkout --gateway-admin http://127.0.0.1:15000
    """,
)
@click.argument("words", nargs=-1, metavar="[NAME|FILE]...")
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    metavar="FILE",
    help="A spec, a folder of specs, or - for stdin. Can be repeated.",
)
@click.option("-R", "--recursive", is_flag=True, help="Also read folders inside of folders.")
@click.option("--env", "environment", metavar="FILE", help="An Environment, for specs.")
@click.option("--stage", metavar="STAGE", help="Compare this stage instead of spec.stage.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option(
    "-l", "--selector", metavar="LABELS", help="Only VirtualServices, or specs, with these labels."
)
@click.option("-w", "--watch", is_flag=True, help="Go on, and print what changes.")
@click.option("--timeout", metavar="TIME", help="Watch no longer.  [default: until Ctrl-C]")
@counters_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "name"]),
    default="text",
    show_default=True,
)
@connection_options
def command(
    words: tuple[str, ...],
    everywhere: bool,
    watch: bool,
    timeout: str | None,
    gateways: tuple[str, ...],
    output: str,
    **options: Any,
) -> int:
    """Show how experiments stand."""
    from pinroute.cli.listing import Asked, split, status

    files, names = split(words, options["filenames"])
    chosen = chosen_of({**options, "files": files})
    return status(chosen, Asked(names, everywhere, watch, timeout, gateways, output))
