"""pinroute impact: which users a change moves, before it is merged."""

from fractions import Fraction

import click

from pinroute.change import LOST, Change, Incomparable, changes, identity, moved, returns
from pinroute.cli.compiled import compiled_or_exit
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.impact_report import FORMATS
from pinroute.cli.revisions import history, read_side
from pinroute.cli.terminal import err, out
from pinroute.compilation import Compiled, compile_specs


class _Percent(click.ParamType[Fraction]):
    """A percentage such as 5 or 5%, kept as an exact fraction of one."""

    name = "percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        try:
            share = Fraction(str(value).removesuffix("%")) / 100
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no percentage such as 5%", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not between 0% and 100%", param, ctx)
        return share


@click.command(
    "impact",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Tell which users a change moves.",
    help="""Tell which users a change moves from one version to another, with a witness each.

    OLD and NEW are files, folders, or REV:path of the git repository. Every user hash is
    compared, route by route; hosts and paths that lose their route are shown as unrouted.

    \b
      pinroute impact HEAD:experiments/checkout.yaml experiments/checkout.yaml
      pinroute impact main:experiments experiments --max-moved 5% -o markdown
      pinroute impact --history experiments/checkout.yaml --forbid-back
    """,
)
@click.argument("old")
@click.argument("new", required=False)
@click.option("-R", "--recursive", is_flag=True, help="Also read folders inside of folders.")
@click.option(
    "--old-stage", metavar="STAGE", help="Compare this stage of OLD instead of its live one."
)
@click.option(
    "--new-stage", metavar="STAGE", help="Compare this stage of NEW instead of its live one."
)
@click.option(
    "--max-moved", type=_Percent(), metavar="SHARE", help="Exit 1 if more users move in a route."
)
@click.option(
    "--forbid-back",
    is_flag=True,
    help="Exit 1 if anybody goes back to the baseline or loses a route.",
)
@click.option(
    "--history",
    "whole",
    is_flag=True,
    help="OLD is one file: look through its git history for users who come back.",
)
@click.option(
    "-o", "--output", type=click.Choice(list(FORMATS)), default="text", show_default=True
)
def command(
    old: str,
    new: str | None,
    recursive: bool,
    old_stage: str | None,
    new_stage: str | None,
    max_moved: Fraction | None,
    forbid_back: bool,
    whole: bool,
    output: str,
) -> int:
    """Tell which users a change moves."""
    if whole == (new is not None):
        raise click.UsageError("name OLD and NEW, or one file with --history")
    try:
        if new is None:
            found = _through(old)
        else:
            before = _compiled(old, recursive, old_stage)
            after = _compiled(new, recursive, new_stage)
            found = changes(before, after)
    except Incomparable as error:
        raise Misuse(str(error)) from None
    out(FORMATS[output](found))
    too_many = max_moved is not None and moved(found) > max_moved
    back = forbid_back and any(change.back or change.after in LOST for change in found)
    if too_many and max_moved is not None:
        err(f"{float(moved(found)):.4%} of the users move, {float(max_moved):.4%} are allowed\n")
    if back:
        err("users go back, or lose their route\n")
    return Exit.NO if too_many or back else Exit.OK


def _compiled(name: str, recursive: bool, stage: str | None) -> tuple[Compiled, ...]:
    sources, unread = read_side(name, recursive)
    compilation = compiled_or_exit(sources, unread, stage=stage)
    return compilation.experiments


def _through(path: str) -> list[Change]:
    """Compile every state that git knows of a file; a broken old one is told and passed over."""
    now = _compiled(path, False, None)
    found: list[Compiled] = []
    for revision, source in history(path):
        compilation = compile_specs([source])
        if compilation.failed:
            err(f"{revision}: passed over, it does not compile\n")
        found += compilation.experiments
    states: dict[tuple[str, str], list[Compiled]] = {}
    for compiled in (*found, *now):
        states.setdefault(identity(compiled), []).append(compiled)
    return [change for known in states.values() for change in returns(known)]
