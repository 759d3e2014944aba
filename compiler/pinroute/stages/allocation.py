"""Groups given by a share: their slots, and the prefixes that they have in a stage.

Shares are of the universe, in expectation over uniformly distributed user hashes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.spec.meaning import Spec, stage_names
from pinroute.spec.model import Experiment, Group, GroupName, Output, SlotBounds
from pinroute.table.allocate import Slot, closest, percent_of, place, units_of
from pinroute.table.ranges import Range, block_range, cost, cover
from pinroute.table.rotate import rotated
from pinroute.table.universe import Universe

GRID = 4096  # slots that are chosen here begin and end on a grid of at least this fineness
DECIMALS = 10  # of a percentage: enough for every place on the grid of binary, decimal and hex


class Plan(NamedTuple):
    """The slots of the groups given by a share; `homeless` found no room."""

    slots: Mapping[GroupName, Slot]
    homeless: tuple[GroupName, ...]


def universe_of(experiment: Experiment) -> Universe:
    """Return the universe of an experiment's user hashes."""
    return Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)


def exact(number: float) -> Fraction:
    """Return a number as it was written."""
    return Fraction(repr(number))


def plan(experiment: Experiment) -> Plan:
    """Give each group its slot: its own where it has one, else the first free place.

    Free is what neither slots nor listed prefixes of other groups name. Places are well
    aligned; where the gaps between such leave somebody without a place, they stand side
    by side.
    """
    found = _plan(experiment, aligned=True)
    return _plan(experiment, aligned=False) if found.homeless else found


def _plan(experiment: Experiment, *, aligned: bool) -> Plan:
    universe = universe_of(experiment)
    taken = [
        block_range(universe, prefix)
        for group in experiment.groups
        for prefix in group.prefixes
        if prefix and len(prefix) <= universe.digits and set(prefix) <= set(universe.alphabet)
    ]
    slots: dict[GroupName, Slot] = {}
    for group in experiment.groups:
        if group.by_share and group.slot is not None:
            slots[group.name] = slot_of(universe, group.slot)
            taken.append(slots[group.name].range)
    homeless: list[GroupName] = []
    for group in experiment.groups:
        if group.by_share and group.slot is None:
            found = _home(universe, taken, group, aligned=aligned)
            if found is None:
                homeless.append(group.name)
                continue
            slots[group.name] = found
            taken.append(found.range)
    return Plan(slots, tuple(homeless))


def _home(
    universe: Universe, taken: Sequence[Range], group: Group, *, aligned: bool
) -> Slot | None:
    """Return a free slot for the largest share of a group, one whose bounds can be written."""
    units = units_of(universe, exact(largest_share(group)))
    size = max(units, 1)
    if aligned:
        step = _step(universe)
        size = -(-size // step) * step
    # In a universe too large for its places to be written exactly, with room at both ends.
    for more in (0, universe.size // 10**DECIMALS + 1):
        found = place(universe, taken, size + more, aligned=aligned)
        if found is None:
            return None
        slot = slot_of(universe, bounds_of(universe, found))
        if slot.range.size >= max(units, 1):
            return slot
    return None


def _step(universe: Universe) -> int:
    """Return the size of a cell of the grid."""
    step = universe.size
    while step > 1 and universe.size // step < GRID:
        step //= len(universe.alphabet)
    return step


def slot_of(universe: Universe, bounds: SlotBounds) -> Slot:
    """Return the slot that bounds in percent name; it is filled from `start` on."""
    start, end = (units_of(universe, exact(bound)) for bound in bounds)
    return Slot(Range(min(start, end), max(start, end)), down=start > end)


def bounds_of(universe: Universe, slot: Slot) -> SlotBounds:
    """Return the bounds of a slot in percent, as they are written into a spec.

    They are rounded inwards: what a neighbour owns stays the neighbour's.
    """
    cells = 10**DECIMALS
    start = float(Fraction(-(-percent_of(universe, slot.range.start) * cells // 1), cells))
    end = float(Fraction(percent_of(universe, slot.range.end) * cells // 1, cells))
    return SlotBounds(end, start) if slot.down else SlotBounds(start, end)


def largest_share(group: Group) -> float:
    """Return the largest percentage that a group ever has."""
    return max([group.percent or 0, *group.ramp])


def share_of(group: Group, stage: str) -> float:
    """Return the percentage of a group in a stage; in a ramp it is that of the rung reached."""
    if stage.startswith("ramp-") and group.ramp:
        rung = float(stage.removeprefix("ramp-"))
        return max((share for share in group.ramp if share <= rung), default=0)
    if group.percent is not None:
        return group.percent
    return max(group.ramp, default=0)


def units_by_group(experiment: Experiment, stage: str, found: Plan) -> dict[GroupName, int]:
    """Return how many user hashes each group given by a share has in a stage.

    Within the tolerance, or as close as the budget of prefixes allows, the number is one
    that few prefixes cover, and no smaller than in the rungs before.
    """
    universe = universe_of(experiment)
    output = experiment.output
    rungs = [name for name in stage_names(experiment) if name.startswith("ramp-")]
    before = rungs[: rungs.index(stage)] if stage in rungs else rungs
    chosen: tuple[int, ...] = (0,) * len(found.slots)
    groups = [group for group in experiment.groups if group.name in found.slots]
    for name in (*before, stage):
        wanted = tuple(
            _wanted(universe, found.slots[group.name], share_of(group, name), output, least)
            for group, least in zip(groups, chosen, strict=True)
        )
        chosen = _fitted(universe, wanted, output.max_rules)
    return {group.name: units for group, units in zip(groups, chosen, strict=True)}


class _Wanted(NamedTuple):
    """How many user hashes a group should have, how far from that it may be, how many it must."""

    slot: Slot
    units: int
    tolerance: int
    least: int


def _wanted(universe: Universe, slot: Slot, share: float, output: Output, least: int) -> _Wanted:
    """Return what is wanted of a group; its tolerance holds for the share, not for `units`."""
    part = exact(share) * universe.size / 100
    units = units_of(universe, exact(share))
    room = exact(output.tolerance) * universe.size / 100 - abs(units - part)
    return _Wanted(slot, units, max(0, int(room)), least)


@lru_cache(maxsize=64)
def _fitted(
    universe: Universe, wanted: tuple[_Wanted, ...], budget: int | None
) -> tuple[int, ...]:
    """Return a number of user hashes for each group, as close as the budget of prefixes allows.

    All leave their tolerance by the same number, the least that fits; then none is farther
    away than the budget asks for. Where nothing fits (fewer prefixes than groups) it is
    what needs the fewest.
    """

    def within(more: int, most: int = universe.size) -> tuple[int, ...]:
        return tuple(
            closest(universe, slot, units, min(tolerance + more, most), least)
            for slot, units, tolerance, least in wanted
        )

    def fits(chosen: tuple[int, ...]) -> bool:
        parts = (one.slot.part(units) for one, units in zip(wanted, chosen, strict=True))
        return budget is None or sum(cost(universe, part) for part in parts) <= budget

    if fits(within(0)):
        return within(0)
    more = _least(lambda number: fits(within(number)), 1, universe.size)
    widest = max(one.tolerance for one in wanted)
    return within(more, _least(lambda most: fits(within(more, most)), widest, widest + more))


def _least(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return the least number that fits, `high` if none below it does; larger ones fit, too."""
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return high


def allocated(experiment: Experiment, stage: str) -> Experiment:
    """Return the experiment with the prefixes of every group in a stage."""
    found = plan(experiment)
    universe = universe_of(experiment)
    units = units_by_group(experiment, stage, found)

    def prefixes(group: Group) -> tuple[str, ...]:
        if group.name not in units:
            return group.prefixes
        blocks = cover(universe, found.slots[group.name].part(units[group.name]))
        if experiment.rotation is None:
            return tuple(blocks)
        return tuple(sorted(rotated(universe, experiment.rotation, block) for block in blocks))

    groups = tuple(group._replace(prefixes=prefixes(group)) for group in experiment.groups)
    return experiment._replace(groups=groups)


def check_allocation(spec: Spec) -> list[Diagnostic]:
    """Return what is wrong with the shares, slots and ramps of an experiment."""
    if not any(_has_share_fields(group) for group in spec.experiment.groups):
        if spec.experiment.rotation is None:
            return []
        path: Path = ("spec", "rotation")
        return [diagnose("PIN254", spec.document.span(path, key=True), path)]
    return [*_fields(spec), *_overlaps(spec), *_room(spec), *_shares(spec)]


def _has_share_fields(group: Group) -> bool:
    return group.by_share or group.slot is not None


def _fields(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    for index, group in enumerate(experiment.groups):
        base: Path = ("spec", "groups", index)
        if group.prefixes and _has_share_fields(group):
            path = (*base, "prefixes")
            yield diagnose("PIN247", document.span(path, key=True), path, group=group.name)
        for number, (before, after) in enumerate(zip(group.ramp, group.ramp[1:], strict=False), 1):
            if after <= before:
                path = (*base, "ramp", number)
                yield diagnose("PIN253", document.span(path), path, after=after, before=before)
        if group.percent is not None and group.ramp and group.percent < group.ramp[-1]:
            path = (*base, "percent")
            after, before = group.percent, group.ramp[-1]
            yield diagnose("PIN253", document.span(path), path, after=after, before=before)
    listed = any(group.prefixes and not _has_share_fields(group) for group in experiment.groups)
    if experiment.rotation is not None and listed:
        path = ("spec", "rotation")
        yield diagnose("PIN254", document.span(path, key=True), path)


def _overlaps(spec: Spec) -> Iterator[Diagnostic]:
    """Find slots that share users with another slot, or with a listed prefix."""
    document, experiment = spec
    universe = universe_of(experiment)
    owned: list[tuple[Range, GroupName, Path]] = []
    slots: list[tuple[Range, GroupName, Path]] = []
    for index, group in enumerate(experiment.groups):
        base: Path = ("spec", "groups", index)
        mine: list[tuple[Range, Path]] = []
        if group.slot is not None:
            mine.append((slot_of(universe, group.slot).range, (*base, "slot")))
        elif not group.by_share:
            mine += [
                (block_range(universe, prefix), (*base, "prefixes", number))
                for number, prefix in enumerate(group.prefixes)
                if prefix
                and len(prefix) <= universe.digits
                and set(prefix) <= set(universe.alphabet)
            ]
        for part, path in mine:
            # Two prefixes are compared where prefixes are.
            for other, name, claim in owned if path[-1] == "slot" else slots:
                if name != group.name and part.overlaps(other):
                    related = (Related(document.span(claim), f"group {name!r} owns them here"),)
                    where = document.span(path)
                    yield diagnose(
                        "PIN248", where, path, related=related, group=group.name, rival=name
                    )
            owned.append((part, group.name, path))
            if path[-1] == "slot":
                slots.append(owned[-1])


def _room(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    found = plan(experiment)
    universe = universe_of(experiment)
    for index, group in enumerate(experiment.groups):
        base: Path = ("spec", "groups", index)
        largest = largest_share(group)
        if group.name in found.homeless:
            path = (*base, "name")
            yield diagnose(
                "PIN250", document.span(path), path, group=group.name, share=f"{largest:g}"
            )
        elif group.by_share and group.slot is not None:
            slot = found.slots[group.name]
            if units_of(universe, exact(largest)) > slot.range.size:
                path = (*base, "slot")
                size = f"{float(percent_of(universe, slot.range.size)):g}"
                yield diagnose(
                    "PIN249",
                    document.span(path),
                    path,
                    group=group.name,
                    share=f"{largest:g}",
                    size=size,
                )
        elif group.by_share and len(experiment.groups) > 1:
            path = (*base, "name")
            yield diagnose("PIN251", document.span(path), path, group=group.name)


def _shares(spec: Spec) -> Iterator[Diagnostic]:
    """Tell which shares the user hashes cannot express exactly, one finding a group."""
    document, experiment = spec
    universe = universe_of(experiment)
    for index, group in enumerate(experiment.groups):
        shares = [*([group.percent] if group.percent is not None else []), *group.ramp]
        reached = [percent_of(universe, units_of(universe, exact(share))) for share in shares]
        wrong = [
            (f"{share:g}", f"{float(got):.6g}")
            for share, got in zip(shares, reached, strict=True)
            if got != exact(share)
        ]
        if wrong:
            field = "percent" if group.percent is not None else "ramp"
            path: Path = ("spec", "groups", index, field)
            yield diagnose(
                "PIN252",
                document.span(path),
                path,
                group=group.name,
                share=", ".join(share for share, _ in wrong),
                reached=", ".join(got for _, got in wrong),
                size=f"{universe.size:,}",
            )
