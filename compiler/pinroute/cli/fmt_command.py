"""pinroute fmt: one layout for all specs; comments are kept."""

import sys

import click

from pinroute.cli.exits import Exit, Unwritable, epilog
from pinroute.cli.folder import Drift, unified_diff, write
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import STDIN, read_sources
from pinroute.cli.options import input_options
from pinroute.cli.report import exit_code, text
from pinroute.cli.terminal import colours, err
from pinroute.compilation import Source
from pinroute.edit import CannotEdit


@click.command(
    "fmt",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Format specs.",
    help="""Format specs: two blanks of indentation, no trailing blanks, every ambiguous text quoted.

    Values and comments never change; files of other kinds are left alone. Stdin is
    formatted to stdout.

    \b
      pinroute fmt experiments/
      pinroute fmt --check experiments/
      pinroute fmt - < experiment.yaml
    """,
)
@input_options
@click.option(
    "--pin",
    is_flag=True,
    help="Also write the present slot of each group into the spec, so that no other edit moves its users.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; show what would change, exit 1 if anything."
)
def command(
    files: tuple[str, ...], filenames: tuple[str, ...], recursive: bool, pin: bool, check: bool
) -> int:
    """Format specs."""
    sources, found = read_sources(files, filenames, recursive)
    err(text(found, colours(sys.stderr)))
    code = exit_code(found)
    changes: list[Drift] = []
    for source in sources:
        try:
            change = _change(source, pin)
        except _Refused as refused:
            click.echo(f"{source.name}: left as it is: {refused}", err=True)
            code = Exit.USAGE
            continue
        if source.name == STDIN and not check:
            click.echo(change.after, nl=False)
        elif change.after != change.before:
            changes.append(change)
    if check:
        for change in changes:
            click.echo(unified_diff(change), nl=False)
        return Exit.NO if changes and code == Exit.OK else code
    try:
        write(changes)
    except OSError as error:
        raise Unwritable(error, str(error.filename)) from None
    for change in changes:
        click.echo(f"{change.path.as_posix()} formatted", err=True)
    return code


class _Refused(Exception):
    """A file that cannot be formatted."""


def _change(source: Source, pin: bool) -> Drift:
    from pathlib import Path

    from pinroute.formatting import CannotFormat, formatted
    from pinroute.pinning import pinned

    try:
        after = formatted(source.name, source.data)
        if pin and after is not None:  # formatted first: what has to be quoted is an error
            text = pinned(source._replace(data=after.encode("utf-8", "surrogateescape")))
            after = formatted(source.name, text.encode("utf-8", "surrogateescape"))
    except (CannotFormat, CannotEdit) as error:
        raise _Refused(str(error)) from None
    before = source.data.decode("utf-8", "surrogateescape")
    return Drift(Path(source.name), before, before if after is None else after)
