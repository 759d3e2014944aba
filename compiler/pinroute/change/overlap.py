"""Who was in which group before: what another rotation makes of the users of an experiment.

And which groups have another share than they ask for.
"""

from collections.abc import Iterator
from fractions import Fraction

from pinroute.change.model import OtherShare, Overlap
from pinroute.change.specs import comparable
from pinroute.compilation import Compiled
from pinroute.istio.routelist import Action
from pinroute.stages.parts import Part, parts_of
from pinroute.stages.rules import table_of_parts
from pinroute.stages.stage import with_prefixes
from pinroute.table.impact import overlay, runs_of
from pinroute.table.measure import Share, sizes
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


def overlaps(before: Compiled, after: Compiled) -> list[Overlap]:
    """Return for each group which part of its users was in which group before.

    Only where the rotation has changed. Groups are those of the live stage, or in a stage
    without groups (`promote-…`, `done`) those of the stage `experiment`.
    """
    experiment = after.checked.spec.experiment
    if before.checked.spec.experiment.rotation == experiment.rotation:
        return []
    old, new = comparable(_groups(before), _groups(after), before, after)
    users: dict[str, int] = {}
    shared: dict[tuple[str, str], int] = {}
    for earlier, now, part in overlay(new.universe, runs_of(old, _label), runs_of(new, _label)):
        pair = str(now), str(earlier)
        users[pair[0]] = users.get(pair[0], 0) + part.size
        shared[pair] = shared.get(pair, 0) + part.size
    order = [_label(leaf) for leaf in new.leaves]
    earlier_order = [_label(leaf) for leaf in old.leaves]
    return [
        Overlap(experiment.name, group, earlier, Share(Fraction(size, users[group])))
        for (group, earlier), size in sorted(
            shared.items(), key=lambda item: _places(item[0], order, earlier_order)
        )
        if group in {one.name for one in experiment.groups}
    ]


def _places(pair: tuple[str, str], new: list[str], old: list[str]) -> tuple[int, int]:
    return new.index(pair[0]), old.index(pair[1])


def _groups(compiled: Compiled) -> Table:
    """Return the table of the groups of an experiment."""
    experiment = compiled.checked.spec.experiment
    live = compiled.stages[0].name
    stage = "experiment" if live == "done" or live.startswith("promote-") else live
    experiment = with_prefixes(experiment, stage)
    universe = Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)
    parts = parts_of(experiment, stage)
    return table_of_parts(parts, universe, lambda version: Action({}, version))


def _label(leaf: Leaf) -> str:
    part = leaf.attribution
    return part.label if isinstance(part, Part) else str(part)


def other_shares(compiled: Compiled) -> Iterator[OtherShare]:
    """Yield the groups whose share is further from what they ask for than one user hash."""
    experiment = compiled.checked.spec.experiment
    asking = [group for group in experiment.groups if group.by_share]
    if not asking:
        return
    from pinroute.stages.allocation import exact, share_of

    stage = compiled.stages[0]
    table = next(iter(stage.tables.values()), None)
    if table is None:
        return
    found = sizes(table, _label)
    if not {group.name for group in experiment.groups} & set(found):
        return  # a stage without groups
    for group in asking:
        wanted = exact(share_of(group, stage.name)) / 100
        share = found.get(group.name, Share(Fraction(0)))
        if abs(share - wanted) * table.universe.size >= 1:
            yield OtherShare(experiment.name, group.name, Share(wanted), share)
