"""pinroute simulate: how many users each version gets, expected and counted."""

import random
import sys
from collections import Counter
from pathlib import Path

import click

from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources
from pinroute.cli.report import dumped, exit_code, loud, text
from pinroute.cli.table import columns
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import Compiled, UnknownStage, compile_specs
from pinroute.lookup import look_up_many
from pinroute.stages.parts import Part
from pinroute.table.measure import sizes
from pinroute.uniformity import Uniformity, uniformity


@click.command(
    "simulate",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Count users by version.",
    help="""Count how many users each version and group gets: as the rules say, and in a sample.

    The sample is a file of real hashes, one a line, or N random ones. A file is also
    looked at for what makes a bad hash: it is not uniform, or ordered by time.

    \b
      pinroute simulate -f experiment.yaml --hashes hashes.txt
      pinroute simulate -f experiment.yaml -n 100000 --seed 7
      pinroute simulate -f experiment.yaml --stage ramp-10 -o json
    """,
)
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE", help="The spec."
)
@click.option("--hashes", metavar="FILE", help="Real hashes, one a line; - for stdin.")
@click.option("-n", "--number", type=click.IntRange(1, 10_000_000), help="So many random hashes.")
@click.option("--seed", type=int, default=1, show_default=True, help="The seed of random hashes.")
@click.option("--stage", metavar="STAGE", help="Simulate this stage instead of spec.stage.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    filenames: tuple[str, ...],
    hashes: str | None,
    number: int | None,
    seed: int,
    stage: str | None,
    output: str,
) -> int:
    """Count users by version."""
    if hashes is not None and number is not None:
        raise click.UsageError("--hashes and -n exclude each other")
    sources, unread = read_sources((), filenames)
    try:
        compilation = compile_specs(sources, stage=stage)
    except UnknownStage as error:
        raise Misuse(str(error)) from None
    found = sorted([*unread, *compilation.diagnostics])
    err(text(loud(found), colours(sys.stderr)))
    if exit_code(found) != Exit.OK:
        return exit_code(found)
    if not compilation.experiments:
        raise Misuse("the files hold no experiment")
    for compiled in compilation.experiments:
        values = _values(compiled, hashes, number, seed)
        look = None
        if values is not None and hashes is not None:
            look = uniformity(compiled.stages[0].routes.universe, values)
        rows = _rows(compiled, values)
        out(_json(compiled, rows, look) if output == "json" else _text(rows, look))
    return Exit.OK


def _values(
    compiled: Compiled, name: str | None, number: int | None, seed: int
) -> list[str] | None:
    if name is not None:
        try:
            data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise Misuse(f"cannot read {name}: {error.strerror or error}") from None
        return data.decode("utf-8", "surrogateescape").splitlines()
    if number is None:
        return None
    universe = compiled.stages[0].routes.universe
    generator = random.Random(seed)  # noqa: S311  repeatable, not secret
    return [
        "".join(generator.choices(universe.alphabet, k=universe.digits)) for _ in range(number)
    ]


def _rows(compiled: Compiled, values: list[str] | None) -> list[dict[str, object]]:
    """Return a row for each group: version, group, expected share, and what was counted."""
    table = next(iter(compiled.stages[0].tables.values()))
    shares = sizes(table, lambda leaf: leaf.attribution)
    counted = Counter(look_up_many(compiled, values)) if values is not None else Counter()
    rows: list[dict[str, object]] = []
    for leaf in table.leaves:
        part = leaf.attribution
        if not isinstance(part, Part):
            continue
        share = float(shares.get(part, 0))
        actual = counted.get((part.version, part.label), 0)
        if share == 0 and actual == 0:
            continue
        row: dict[str, object] = {"version": part.version, "group": part.label, "share": share}
        if values is not None:
            row["expected"] = share * len(values)
            row["counted"] = actual
        rows.append(row)
    return rows


def _text(rows: list[dict[str, object]], look: Uniformity | None) -> str:
    heads = ["VERSION", "GROUP", "SHARE"]
    if rows and "counted" in rows[0]:
        heads += ["EXPECTED", "COUNTED"]
    cells = [
        [
            str(row["version"]),
            str(row["group"]),
            f"{row['share']:.4%}",
            *([f"{row['expected']:,.0f}", f"{row['counted']:,}"] if "counted" in row else []),
        ]
        for row in rows
    ]
    sentence = f"\n{look.sentence}\n" if look is not None else ""
    return columns(heads, cells) + sentence


def _json(compiled: Compiled, rows: list[dict[str, object]], look: Uniformity | None) -> str:
    body: dict[str, object] = {
        "kind": "Simulation",
        "experiment": compiled.checked.spec.experiment.name,
        "stage": compiled.live,
        "groups": rows,
    }
    if look is not None:
        body["hashes"] = {
            "sound": look.hashes,
            "malformed": look.malformed,
            "blocks": look.blocks,
            **({"p": look.p} if look.p is not None else {}),
            "clock": look.clock,
            "sentence": look.sentence,
        }
    return dumped(body)
