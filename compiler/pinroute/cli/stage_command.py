"""pinroute stage: show the stages of an experiment, or set the live one in its spec."""

import sys
from pathlib import Path

import click

from pinroute.change.impact import impact_of
from pinroute.cli.exits import Exit, Misuse, Unwritable
from pinroute.cli.folder import Drift, write
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import STDIN, read_sources
from pinroute.cli.report import exit_code, loud, text
from pinroute.cli.table import columns
from pinroute.cli.terminal import colours, err
from pinroute.compilation import Checked, Compiled, load
from pinroute.diagnostics import Diagnostic
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.edit import CannotEdit, with_stage
from pinroute.spec.meaning import stage_names
from pinroute.spec.promotion import promotion_of
from pinroute.stages.parts import parts_of
from pinroute.stages.stage import build_stage, stage_order


@click.group(
    "stage",
    context_settings=SETTINGS,
    short_help="Show or set the live stage.",
    help="""Show or set the live stage of a spec.

    \b
      pinroute stage list -f experiment.yaml
      pinroute stage set promote-v2 -f experiment.yaml
    """,
)
def command() -> None:
    """Hold the subcommands."""


def _experiments(filenames: tuple[str, ...], name: str | None) -> list[Checked]:
    sources, found = read_sources((), filenames)
    specs = load(sources)
    found = sorted([*found, *specs.diagnostics])
    if exit_code(found) != Exit.OK:
        err(text(loud(found), colours(sys.stderr)))
        raise click.exceptions.Exit(exit_code(found))
    names = [checked.spec.experiment.name for checked in specs.experiments]
    if name is not None and name not in names:
        raise click.UsageError(f"there is no experiment {name!r}: {did_you_mean(name, names)}")
    if not names:
        raise click.UsageError("the files hold no experiment")
    return [
        checked for checked in specs.experiments if name in (None, checked.spec.experiment.name)
    ]


def _goes_back(checked: Checked, before: str, after: str) -> bool:
    """Tell whether a step down the ramp, or out of a promotion, brings users to the baseline.

    Ending an experiment is a decision, not a step of its ramp.
    """
    spec = checked.spec.experiment
    ramp = [stage for stage in stage_order(spec) if stage.startswith("ramp-")]
    rising = ["observe", *ramp, "experiment"]
    promotion = promotion_of(before)
    promoting = promotion is not None and promotion.phase > 0
    if after not in rising or not (promoting or (ramp and before in rising)):
        return False
    old, new = (
        Compiled(checked, stage, (build_stage(spec, stage, checked.manifests),), ())
        for stage in (before, after)
    )
    return any(change.back for change in impact_of([old], [new]).changes)


def _refusals(checked: Checked, before: str, after: str) -> list[Diagnostic]:
    """Return why a step of a promotion is not taken: who would not go forward."""
    spec = checked.spec.experiment
    promotion = promotion_of(after)
    if promotion is None or spec.versions[promotion.version - 1].name == spec.baseline:
        return []
    from pinroute.stages.plan import step_plan
    from pinroute.stages.refusal import refusals

    return refusals(checked.spec, step_plan(spec, checked.manifests, before, after))


@command.command("list", context_settings=SETTINGS, short_help="List the stages.")
@click.option("-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE")
@click.option("--experiment", metavar="NAME", help="Only this experiment of the files.")
def list_stages(filenames: tuple[str, ...], experiment: str | None) -> int:
    """List the stages of an experiment; the live one is marked with '*'."""
    rows = []
    for checked in _experiments(filenames, experiment):
        spec = checked.spec.experiment
        live = stage_names(spec)[spec.stage]
        for stage in stage_order(spec):
            parts = parts_of(spec, stage)
            versions = dict.fromkeys(part.version for part in parts)
            mark = "*" if stage == live else ""
            rows.append([spec.name, stage, mark, ", ".join(versions)])
    click.echo(columns(["EXPERIMENT", "STAGE", "LIVE", "VERSIONS"], rows), nl=False)
    return Exit.OK


@command.command("set", context_settings=SETTINGS, short_help="Set the live stage.")
@click.argument("stage")
@click.option("-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE")
@click.option("--experiment", metavar="NAME", help="Which experiment, if the file holds several.")
@click.option(
    "--back", is_flag=True, help="Allow a step after which users go back to what they had before."
)
def set_stage(stage: str, filenames: tuple[str, ...], experiment: str | None, back: bool) -> int:
    """Set spec.stage in the file; nothing else in it changes."""
    chosen = _experiments(filenames, experiment)
    if len(chosen) != 1:
        raise click.UsageError("the files hold several experiments: choose one with --experiment")
    checked = chosen[0]
    spec = checked.spec.experiment
    names = stage_names(spec)
    if stage not in names:
        raise click.UsageError(f"{spec.name} has no stage {stage!r}: {did_you_mean(stage, names)}")
    live = names[spec.stage]
    if not back and _goes_back(checked, live, names[stage]):
        kind = "a promotion" if promotion_of(live) else "a ramp"
        raise Misuse(
            f"from {live} to {names[stage]} users go back to the baseline; "
            f"{kind} goes forward: --back if that is meant"
        )
    refused = [] if back else _refusals(checked, live, names[stage])
    if refused:
        err(text(refused, colours(sys.stderr)))
        err(f"{spec.name} stage unchanged ({live}): --back if that is meant\n")
        return Exit.NO
    if checked.source.name == STDIN:
        raise click.UsageError("a stage can be set in a file only")
    try:
        after = with_stage(checked.spec.document, names[stage])
    except CannotEdit as error:
        raise click.UsageError(f"{checked.source.name}: {error}; set it by hand") from None
    before = checked.source.data.decode("utf-8-sig")
    if after != before:
        path = Path(checked.source.name)
        if checked.source.data.startswith(b"\xef\xbb\xbf"):
            after = "\ufeff" + after
        try:
            write([Drift(path, before, after)])
        except OSError as error:
            raise Unwritable(error, str(path)) from None
    state = "unchanged" if live == names[stage] else f"set to {names[stage]} (was {live})"
    click.echo(f"{spec.name} stage {state}", err=True)
    return Exit.OK
