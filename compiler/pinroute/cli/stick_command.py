"""pinroute stick: a weighted split made sticky, with the same shares."""

import sys
from typing import Any, cast

import click

from pinroute.checks.registry import check_virtual_services
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources
from pinroute.cli.report import exit_code, loud, text
from pinroute.cli.table import columns
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import compile_specs
from pinroute.istio.limits import header_name_problem
from pinroute.istio.read import is_virtual_service
from pinroute.manifest.dump import dump
from pinroute.spec.resolve import ALPHABETS
from pinroute.spec.scalars import value
from pinroute.sticky import NothingToStick, Stuck, stick
from pinroute.table.universe import Universe


@click.command(
    "stick",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Make a weighted split sticky.",
    help="""Turn the weighted splits of a VirtualService into sticky ones with the same shares.

    Flagger's, Argo Rollouts' or a hand-written one: where a rule draws by weight for every
    request, users are chosen by the prefix of their hash; requests without one are drawn
    as before. The VirtualService goes to stdout, the shares to stderr.

    \b
      pinroute stick canary.yaml --header userhash
      pinroute stick canary.yaml --header userhash --max-rules 3 | kubectl apply -f -
    """,
)
@click.argument("file")
@click.option("--header", required=True, help="The header that carries the user hash.")
@click.option(
    "--digits",
    type=click.IntRange(1, 40),
    default=10,
    show_default=True,
    help="Its significant binary digits.",
)
@click.option(
    "--max-rules",
    type=click.IntRange(2),
    help="At most so many prefixes a split; the closest shares.",
)
def command(file: str, header: str, digits: int, max_rules: int | None) -> int:
    """Make a weighted split sticky."""
    problem = header_name_problem(header)
    if problem is not None:
        raise click.UsageError(f"--header {header!r}: {problem}")
    sources, unread = read_sources([file], ())
    compilation = compile_specs(sources, check_others=check_virtual_services)
    found = sorted([*unread, *compilation.diagnostics])
    err(text(loud(found), colours(sys.stderr)))
    if exit_code(found) != Exit.OK:
        return exit_code(found)
    services = [document for document in compilation.others if is_virtual_service(document)]
    if not services:
        raise Misuse(f"{file} holds no VirtualService")
    universe = Universe(ALPHABETS["binary"], digits)
    made: list[str] = []
    for document in services:
        service = cast("dict[str, Any]", value(document.root))
        try:
            after, done = stick(service, header.lower(), universe, max_rules)
        except NothingToStick as error:
            raise Misuse(f"{file}: {error}") from None
        made.append(dump(after))
        err(_shares(done))
    out("---\n".join(made))
    return Exit.OK


def _shares(done: list[Stuck]) -> str:
    rows = [
        [
            stuck.rule,
            arm.host,
            f"{float(arm.weight):.4%}",
            f"{float(arm.share):.4%}",
            str(stuck.prefixes),
        ]
        for stuck in done
        for arm in stuck.arms
    ]
    return columns(["RULE", "DESTINATION", "WEIGHT", "SHARE", "PREFIXES"], rows)
