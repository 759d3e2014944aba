"""Every user hash, or a sample where there are very many, and everything that is none."""

import random
from collections.abc import Iterator, Sequence

from pinroute.compilation import Compiled
from pinroute.probes.probe import Probe, odd_lines, part_of, parts_in, request_classes, request_of
from pinroute.table.table import Table
from pinroute.table.universe import Universe

WHOLE = 16_384  # universes up to this size are sent whole, larger ones in samples
SAMPLE = 1000


def probes(compiled: Compiled, users: Sequence[str], *, joined: bool = False) -> Iterator[Probe]:
    """Yield the requests that try the live stage of an experiment.

    `joined` is how Envoy took repeated headers before 1.39: as one value, with commas.
    """
    stage = compiled.stages[0]
    experiment = compiled.checked.spec.experiment
    header = experiment.output.version_header
    kind = stage.routes.source.kind
    for one in request_classes(stage, experiment.route.hosts[0]):
        where = f" ({one.request.method} {one.request.path})" if one.route else ""
        if one.table is None:
            yield one.probe(f"route {one.route}{where}", (), header)
            continue
        for who, values in _lines(stage.routes.universe, one.table, users, kind):
            yield one.probe(who + where, values, header, joined=joined)


def untried(compiled: Compiled) -> list[str]:
    """Return the routes of which no request is sent: none is known that they would take."""
    host = compiled.checked.spec.experiment.route.hosts[0]
    items = compiled.stages[0].routes.items
    return list(
        dict.fromkeys(item.route for item in items if request_of(item.condition, host) is None)
    )


def _lines(
    universe: Universe, table: Table, users: Sequence[str], kind: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (who, lines of the header): named users, user hashes, and what is no user hash."""
    for user in users:
        yield f"user {user}", (user,)
    whole = universe.size <= WHOLE
    hashes = universe.values() if whole else _sample(universe, table)
    for value in hashes:
        label = part_of(table, value).label
        yield f"{'every' if whole else 'sampled'} hash in {label}", (value,)
    yield "no hash", ()
    starts = [
        values.prefix
        for part in parts_in(table)
        for values in part.values
        if values.prefix and part.bucket is None
    ]
    # Of buckets, which are many, the first of each group stands for all.
    first = {part.label: part for part in reversed(parts_in(table)) if part.bucket is not None}
    starts += [values.prefix for part in first.values() for values in part.values]
    starts = sorted(set(starts))
    yield from odd_lines(universe, starts, kind)


def _sample(universe: Universe, table: Table) -> list[str]:
    """Return hashes at the edges of every block, and some anywhere; the same in every run."""
    found: dict[str, None] = {}
    for part in parts_in(table):
        for values in part.values:
            left = universe.digits - len(values.prefix)
            for char in (universe.alphabet[0], universe.alphabet[-1]):
                found[values.prefix + char * left] = None
    generator = random.Random(universe.size)  # noqa: S311  repeatable, not secret
    for _ in range(SAMPLE):
        found["".join(generator.choices(universe.alphabet, k=universe.digits))] = None
    return list(found)
