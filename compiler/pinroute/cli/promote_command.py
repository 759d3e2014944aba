"""pinroute promote: the phases in which a version takes over, with what each does to users."""

import sys

import click

from pinroute.cli.compiled import chosen, compiled_or_exit, looking_at_users
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_source, read_sources
from pinroute.cli.promote_report import FORMATS, Promoted
from pinroute.cli.report import text
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import Compiled
from pinroute.diagnostics import Diagnostic
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.meaning import stage_names
from pinroute.spec.promotion import Promotion, promotion_of
from pinroute.stages.plan import CannotPlan, promotion_plan, start_of
from pinroute.stages.refusal import refusals, unplanned


@click.command(
    "promote",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Show the phases of a promotion.",
    help="""Show the phases in which a version takes over from the live stage of a spec.

    Each phase with what it writes, what every place serves, which users move, and what has
    to be true before the next one. It is proved first that nobody is moved back, over every
    mix of two neighbouring phases; what cannot be proved is refused.

    \b
      pinroute promote v2 -f experiment.yaml --dry-run=client
      pinroute promote flowers-v2 -f experiment.yaml --dry-run=client -o json

    --dry-run=client asks no cluster: what runs there is taken to be what spec.stage says.
    """,
)
@click.argument("version")
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE", help="The spec."
)
@click.option("--experiment", metavar="NAME", help="Which experiment, if the file holds several.")
@click.option(
    "--env", "environment", metavar="FILE", help="An Environment: what differs by cluster."
)
@click.option(
    "--dry-run",
    type=click.Choice(["client"]),
    required=True,
    help="Only show what would be done, without a cluster.",
)
@click.option(
    "-o", "--output", type=click.Choice(list(FORMATS)), default="text", show_default=True
)
def command(
    version: str,
    filenames: tuple[str, ...],
    experiment: str | None,
    environment: str | None,
    dry_run: str,
    output: str,
) -> int:
    """Show the phases of a promotion."""
    del dry_run  # the only way yet
    sources, unread = read_sources((), filenames)
    overlay = read_source(environment, unread) if environment is not None else None
    found = chosen(compiled_or_exit(sources, unread, environment=overlay), experiment)
    if len(found) != 1:
        raise Misuse("the files hold several experiments: choose one with --experiment")
    (compiled,) = looking_at_users(found)
    promotion = _promotion(compiled, version)
    spec, manifests = compiled.checked.spec, compiled.checked.manifests
    winner = spec.experiment.versions[promotion.version - 1]
    start = start_of(spec.experiment, compiled.live, manifests)
    live = promotion_of(compiled.live)
    done = live.phase if live is not None and live.version == promotion.version else 0
    try:
        plan = promotion_plan(spec.experiment, manifests, winner, start, done)
    except CannotPlan as error:
        return _refuse([unplanned(spec, error)])
    refused = refusals(spec, plan)
    if refused:
        return _refuse(refused)
    if live == promotion:
        plan = plan._replace(phases=())  # it is over
    out(FORMATS[output](Promoted(plan, compiled.checked.digest, compiled.live, done)))
    return Exit.OK


def _promotion(compiled: Compiled, version: str) -> Promotion:
    """Return the promotion of a version, called by its own name or as vK."""
    experiment = compiled.checked.spec.experiment
    stage = promotion_of(stage_names(experiment).get(f"promote-{version}", ""))
    if stage is None or stage.phase:
        names = [one.name for one in experiment.versions]
        raise Misuse(
            f"{experiment.name} has no version {version!r}: {did_you_mean(version, names)}"
        )
    return stage


def _refuse(found: list[Diagnostic]) -> Exit:
    err(text(found, colours(sys.stderr)))
    return Exit.NO
