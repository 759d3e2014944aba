"""pinroute simulate: how many users each version gets, expected and counted."""

import random
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click

from pinroute.cli.compiled import compiled_or_exit, looking_at_users
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources, value_lines
from pinroute.cli.report import dumped
from pinroute.cli.table import columns
from pinroute.cli.terminal import out
from pinroute.compilation import Compiled
from pinroute.lookup import look_up_many
from pinroute.probes.probe import parts_in
from pinroute.stages.parts import Part
from pinroute.table.measure import sizes
from pinroute.table.universe import Universe
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
    compilation = compiled_or_exit(sources, unread, stage=stage)
    if not compilation.experiments:
        raise Misuse("the files hold no experiment")
    given = _given(hashes) if hashes is not None else None
    runs = []
    for compiled in looking_at_users(compilation.experiments):
        universe = compiled.stages[0].routes.universe
        look = uniformity(universe, given) if given is not None else None
        values = _random(universe, number, seed) if number is not None else given
        runs.append(Run(compiled, _rows(compiled, values, look), look))
    out(_json(runs) if output == "json" else _text(runs))
    return Exit.OK


class Run(NamedTuple):
    """The simulation of one experiment."""

    compiled: Compiled
    rows: list[dict[str, object]]
    look: Uniformity | None

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.compiled.checked.spec.experiment.name


def _given(name: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Misuse(f"cannot read {name}: {error.strerror or error}") from None
    return value_lines(data)


def _random(universe: Universe, number: int, seed: int) -> list[str]:
    generator = random.Random(seed)  # noqa: S311  repeatable, not secret
    return [
        "".join(generator.choices(universe.alphabet, k=universe.digits)) for _ in range(number)
    ]


def _rows(
    compiled: Compiled, values: list[str] | None, look: Uniformity | None
) -> list[dict[str, object]]:
    """Return a row for each group: version, group, share, and what was expected and counted.

    Of an arm with buckets also how many whole ones it has. Nothing is expected of values
    that are no user hashes, and they are counted all the same.
    """
    sound = len(values or ()) if look is None else look.hashes
    table = next(iter(compiled.stages[0].tables.values()))
    shares = sizes(table, lambda leaf: _group(leaf.attribution))
    counted = Counter(map(_group, look_up_many(compiled, values or ())))
    buckets = Counter(_group(part) for part in parts_in(table) if part.bucket is not None)
    rows: list[dict[str, object]] = []
    for group in dict.fromkeys(map(_group, parts_in(table))):
        share = float(shares.get(group, 0))
        actual = counted[group]
        if share == 0 and actual == 0:
            continue
        version, label = group
        row: dict[str, object] = {"version": version, "group": label, "share": share}
        if buckets[group]:
            row["buckets"] = buckets[group]
        if values is not None:
            row["expected"] = share * sound
            row["counted"] = actual
        rows.append(row)
    return rows


def _group(part: object) -> tuple[str, str]:
    if not isinstance(part, Part):
        raise TypeError("a stage's table is attributed to parts")
    return part.version, part.label


def _text(runs: list[Run]) -> str:
    heads = ["EXPERIMENT", "VERSION", "GROUP", "SHARE", "EXPECTED", "COUNTED"]
    cells = [
        [
            run.name,
            str(row["version"]),
            str(row["group"]),
            f"{row['share']:.4%}",
            *([f"{row['expected']:,.0f}", f"{row['counted']:,}"] if "counted" in row else []),
        ]
        for run in runs
        for row in run.rows
    ]
    if any("buckets" in row for run in runs for row in run.rows):
        heads.insert(4, "BUCKETS")
        rows = (row for run in runs for row in run.rows)
        for line, row in zip(cells, rows, strict=True):
            line.insert(4, str(row.get("buckets", "-")))
    first = 0 if len(runs) > 1 else 1
    table = columns(heads[: len(cells[0])][first:], [row[first:] for row in cells])
    sentences = [
        f"{run.name}: {run.look.sentence}\n" if len(runs) > 1 else f"{run.look.sentence}\n"
        for run in runs
        if run.look is not None
    ]
    return table + ("\n" + "".join(sentences) if sentences else "")


def _json(runs: list[Run]) -> str:
    """Return the JSON of schemas/cli/simulation.schema.json."""
    items = []
    for run in runs:
        item: dict[str, object] = {
            "experiment": run.name,
            "stage": run.compiled.live,
            "groups": run.rows,
        }
        if run.look is not None:
            item["hashes"] = {
                "sound": run.look.hashes,
                "malformed": run.look.malformed,
                "blocks": run.look.blocks,
                **({"p": run.look.p} if run.look.p is not None else {}),
                "clock": run.look.clock,
                "sentence": run.look.sentence,
            }
        items.append(item)
    return dumped({"kind": "Simulation", "experiments": items})
