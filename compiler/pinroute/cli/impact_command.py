"""pinroute impact: which users a change moves, before it is merged."""

from collections.abc import Sequence
from fractions import Fraction

import click

from pinroute.change.impact import impact_of, returns
from pinroute.change.model import LOST, Impact, Incomparable, moved
from pinroute.change.reading import UserHashOptions
from pinroute.change.serving import State, identity, serving
from pinroute.checks.alone import check_faults
from pinroute.cli.compiled import compiled_or_exit
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.impact_report import FORMATS
from pinroute.cli.percent import PERCENT
from pinroute.cli.revisions import history, read_side, since
from pinroute.cli.terminal import err, out
from pinroute.compilation import Compilation, Compiled, Source, UnknownStage, compile_specs
from pinroute.diagnostics import Diagnostic
from pinroute.istio.limits import header_name_problem
from pinroute.istio.read import is_virtual_service
from pinroute.spec.meaning import Spec
from pinroute.spec.nodes import Document
from pinroute.spec.resolve import ALPHABETS


@click.command(
    "impact",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Tell which users a change moves.",
    help="""Tell which users a change moves from one version to another, with a witness each.

    OLD and NEW are files, folders, or REV:path of the git repository, with experiments or
    VirtualServices in any mixture. Every user hash is compared, for each kind of requests
    that paths and other conditions tell apart; hosts, paths and gateways that lose their
    route are shown as unrouted.

    \b
      pinroute impact HEAD:experiments/checkout.yaml experiments/checkout.yaml
      pinroute impact main:experiments experiments --max-moved 5% -o markdown
      pinroute impact virtualservice.yaml experiments/checkout.yaml
      pinroute impact --history experiments/checkout.yaml --forbid-back
      pinroute impact --since HEAD experiments/checkout.yaml experiments/cart.yaml
    """,
)
@click.argument("names", nargs=-1, metavar="[OLD NEW | FILE...]")
@click.option("-R", "--recursive", is_flag=True, help="Also read folders inside of folders.")
@click.option(
    "--old-stage", metavar="STAGE", help="Compare this stage of OLD instead of its live one."
)
@click.option(
    "--new-stage", metavar="STAGE", help="Compare this stage of NEW instead of its live one."
)
@click.option(
    "--max-moved", type=PERCENT, metavar="SHARE", help="Exit 1 if more users move in a route."
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
    help="Look through the git history of one FILE for users who come back.",
)
@click.option(
    "--since", "revision", metavar="REV", help="Compare each FILE with what it was in REV."
)
@click.option(
    "--header", metavar="NAME", help="Of VirtualServices: the header that carries the user hash."
)
@click.option(
    "--alphabet",
    metavar="NAME",
    help="Of VirtualServices: binary, decimal, hex, or the characters of a user hash.",
)
@click.option(
    "--digits",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Of VirtualServices: the digits of a user hash.",
)
@click.option(
    "-o", "--output", type=click.Choice(list(FORMATS)), default="text", show_default=True
)
def command(
    names: tuple[str, ...],
    recursive: bool,
    old_stage: str | None,
    new_stage: str | None,
    max_moved: Fraction | None,
    forbid_back: bool,
    whole: bool,
    revision: str | None,
    header: str | None,
    alphabet: str | None,
    digits: int | None,
    output: str,
) -> int:
    """Tell which users a change moves."""
    if (len(names) != (1 if whole else 2) and revision is None) or (whole and revision):
        raise click.UsageError(
            "name OLD and NEW, or one file with --history, or files with --since"
        )
    options = _options(header, alphabet, digits)
    try:
        if whole:
            found = _through(names[0], options)
        else:
            if revision is not None:
                sides = since(revision, names, recursive)
                before = [state for source in sides.old for state in _past(source, old_stage)]
                after = _present(sides.new, sides.unread, new_stage)
            else:
                before = _present(*read_side(names[0], recursive), old_stage)
                after = _present(*read_side(names[1], recursive), new_stage)
                if not before and not after:
                    raise Misuse("neither side holds an experiment or a VirtualService")
            found = impact_of(before, after, options)
    except Incomparable as error:
        raise Misuse(str(error)) from None
    err("".join(f"{note}\n" for note in found.notes))
    out(FORMATS[output](found))
    return _verdict(found, max_moved, forbid_back)


def _verdict(found: Impact, max_moved: Fraction | None, forbid_back: bool) -> Exit:
    too_many = max_moved is not None and moved(found.changes) > max_moved
    back = forbid_back and any(change.back or change.after in LOST for change in found.changes)
    if too_many and max_moved is not None:
        share = float(moved(found.changes))
        err(f"{share:.4%} of the users move, {float(max_moved):.4%} are allowed\n")
    if back:
        err("users go back, or lose their route\n")
    return Exit.NO if too_many or back else Exit.OK


def _options(header: str | None, alphabet: str | None, digits: int | None) -> UserHashOptions:
    if header is not None:
        claim = header.startswith("@request.auth.claims.")
        problem = None if claim else header_name_problem(header)
        if problem is not None:
            raise click.UsageError(f"--header {header!r}: {problem}")
    if alphabet is not None and alphabet not in ALPHABETS and len(set(alphabet)) < 2:
        raise click.UsageError("--alphabet: binary, decimal, hex, or two characters at least")
    return UserHashOptions(header, alphabet, digits)


def _present(sources: list[Source], unread: list[Diagnostic], stage: str | None) -> list[State]:
    """Return the states that files hold; stops where one is broken."""
    return _states(compiled_or_exit(sources, unread, stage=stage, check_others=_faults))


def _past(source: Source, stage: str | None = None) -> list[State]:
    """Return the states of a file of before; a broken one was never live: told and passed over."""
    try:
        compilation = compile_specs([source], stage=stage, check_others=_faults)
    except UnknownStage as error:
        raise Misuse(str(error)) from None
    if compilation.failed:
        err(f"{source.name}: passed over, it does not compile\n")
        return []
    return _states(compilation)


def _faults(documents: Sequence[Document], _specs: Sequence[Spec]) -> list[Diagnostic]:
    """Check what may not work; whether each rule is reached is not asked here."""
    return check_faults(documents)


def _states(compilation: Compilation) -> list[State]:
    services = [document for document in compilation.others if is_virtual_service(document)]
    return [*compilation.experiments, *services]


def _through(path: str, options: UserHashOptions) -> Impact:
    """Look through every state that git knows of a file, and the present one."""
    now = _present(*read_side(path, False), None)
    states: dict[tuple[str, ...], list[State]] = {_key(state): [] for state in now}
    for source in history(path):
        for state in _past(source):
            if _key(state) in states:
                states[_key(state)].append(state)
    for state in now:
        states[_key(state)].append(state)
    parts = [returns(known, options) for known in states.values()]
    return Impact(
        tuple(change for part in parts for change in part.changes),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _key(state: State) -> tuple[str, ...]:
    """Return the kind and the name by which something is known in all states of a file."""
    if isinstance(state, Compiled):
        return ("experiment", *identity(state))
    found = serving(state)
    return ("service", found.namespace, found.service_name)
