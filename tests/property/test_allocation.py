"""Shares, slots, ramps and rotation: who is in a group, spelled out hash by hash.

A group's users are told from its prefixes alone, by writing out every user hash that
begins with one of them; nothing of the allocator is used to check the allocator.
"""

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise, product
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from pinroute.compilation import Source, load
from pinroute.diagnostics import Severity
from pinroute.formatting import formatted
from pinroute.pinning import pinned
from pinroute.spec.model import Experiment, GroupName
from pinroute.stages.allocation import allocated, plan
from pinroute.stages.stage import stage_order
from pinroute.table.allocate import Slot, closest, free_ranges, percent_of, place, units_of
from pinroute.table.minimise import minimise
from pinroute.table.ranges import Range, block_range, cost, cover, hash_at, joined, number_of
from pinroute.table.rotate import rotated, shifts
from pinroute.table.table import Leaf, table_of_prefixes
from pinroute.table.universe import Universe

Json = dict[str, Any]
MORE = settings().max_examples * 2
FEWER = settings().max_examples * 3 // 4

# --- Ranges ----------------------------------------------------------------------------------

SMALL = [Universe("01", 5), Universe("abc", 3), Universe("0123", 2), Universe("0123456789", 2)]


@cache
def words(alphabet: str, length: int) -> list[str]:
    return ["".join(chars) for chars in product(alphabet, repeat=length)]


def inside(universe: Universe, prefix: str) -> list[str]:
    """Return every user hash that begins with a prefix."""
    return [prefix + tail for tail in words(universe.alphabet, universe.digits - len(prefix))]


def fewest_blocks(universe: Universe, start: int) -> list[int]:
    """Return, for each end, into how few blocks the hashes from `start` on can be cut.

    Over every cut there is, not from the left or by size.
    """
    hashes = universe.values()
    best = [10**9] * (len(hashes) + 1)
    best[start] = 0
    for at in range(start, len(hashes)):
        for length in range(universe.digits + 1):
            block = inside(universe, hashes[at][:length])
            if block[0] == hashes[at]:
                best[at + len(block)] = min(best[at + len(block)], best[at] + 1)
    return best


@pytest.mark.parametrize("universe", SMALL)
def test_a_cover_is_exact_disjoint_and_as_small_as_can_be(universe: Universe) -> None:
    hashes = universe.values()
    for start in range(len(hashes) + 1):
        best = fewest_blocks(universe, start)
        for end in range(start, len(hashes) + 1):
            prefixes = cover(universe, Range(start, end))
            # In order, each once: exact and disjoint at the same time.
            named = [value for prefix in prefixes for value in inside(universe, prefix)]
            assert named == hashes[start:end]
            assert len(prefixes) == best[end], (start, end)
            assert cost(universe, Range(start, end)) == best[end]


@st.composite
def large_ranges(draw: st.DrawFn) -> tuple[Universe, Range]:
    universe = draw(
        st.sampled_from(
            [Universe("01", 64), Universe("0123456789abcdef", 16), Universe("xyz", 20)]
        )
    )
    ends = st.integers(0, universe.size)
    start, end = sorted((draw(ends), draw(ends)))
    return universe, Range(start, end)


@given(large_ranges())
def test_large_ranges_need_few_prefixes(case: tuple[Universe, Range]) -> None:
    universe, wanted = case
    prefixes = cover(universe, wanted)
    blocks = [block_range(universe, prefix) for prefix in prefixes]
    assert all(one.end == two.start for one, two in pairwise(blocks))
    assert joined(blocks) == ([wanted] if wanted.size else [])
    assert cost(universe, wanted) == len(prefixes)
    base = len(universe.alphabet)
    assert len(prefixes) <= 2 * (base - 1) * universe.digits


@pytest.mark.parametrize("universe", SMALL)
def test_places_and_hashes_are_inverse(universe: Universe) -> None:
    for number, value in enumerate(universe.values()):
        assert hash_at(universe, number) == value
        assert number_of(universe, value) == number
    for length in range(universe.digits + 1):
        for prefix in words(universe.alphabet, length):
            block = block_range(universe, prefix)
            assert universe.values()[block.start : block.end] == inside(universe, prefix)
            assert cover(universe, block) == [prefix]


@given(large_ranges())
def test_places_and_hashes_are_inverse_in_large_universes(case: tuple[Universe, Range]) -> None:
    universe, (number, _) = case
    assume(number < universe.size)
    value = hash_at(universe, number)
    assert universe.contains(value)
    assert number_of(universe, value) == number
    for length in (1, universe.digits // 2, universe.digits):
        block = block_range(universe, value[:length])
        assert block.start <= number < block.end
        assert block.size == len(universe.alphabet) ** (universe.digits - length)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: Range(*sorted(p))))
)
def test_joined_and_free_ranges_are_the_two_sides_of_a_universe(ranges: list[Range]) -> None:
    universe = Universe("0123456789", 2)
    taken = {place for item in ranges for place in range(*item)}
    found = joined(ranges)
    assert {place for item in found for place in range(*item)} == taken
    assert all(one.end < two.start for one, two in pairwise(found))
    free = [place for item in free_ranges(universe, ranges) for place in range(*item)]
    assert free == [place for place in range(100) if place not in taken]


# --- One slot ----------------------------------------------------------------------------------


@st.composite
def requests(draw: st.DrawFn) -> tuple[Universe, Slot, int, int, int]:
    universe = draw(st.sampled_from([*SMALL, Universe("01", 7), Universe("abc", 4)]))
    ends = st.integers(0, universe.size)
    start, end = sorted((draw(ends), draw(ends)))
    slot = Slot(Range(start, end), draw(st.booleans()))
    units, least = draw(st.integers(0, slot.range.size)), draw(st.integers(0, slot.range.size))
    return (
        universe,
        slot,
        units,
        draw(st.integers(0, universe.size)),
        draw(st.sampled_from([0, least])),
    )


@given(requests())
@settings(max_examples=5 * MORE)
def test_the_closest_number_is_the_best_of_all(
    case: tuple[Universe, Slot, int, int, int],
) -> None:
    universe, slot, units, tolerance, least = case
    low = max(least, min(units, 1), units - tolerance)
    high = max(least, min(slot.range.size, units + tolerance))
    best = min(
        range(low, high + 1),
        key=lambda count: (len(cover(universe, slot.part(count))), abs(count - units), count),
    )
    assert closest(universe, slot, units, tolerance, least) == best


@given(requests(), st.integers(0, 200))
@settings(max_examples=MORE)
def test_more_units_never_give_fewer_users(
    case: tuple[Universe, Slot, int, int, int], more: int
) -> None:
    universe, slot, units, tolerance, _ = case
    higher = min(units + more, slot.range.size)
    one, two = (closest(universe, slot, number, tolerance) for number in (units, higher))
    assert one <= two
    inner, outer = slot.part(one), slot.part(two)
    assert inner.size == 0 or (outer.start <= inner.start and inner.end <= outer.end)
    assert slot.range.start <= outer.start
    assert outer.end <= slot.range.end


@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.integers(0, 32), st.integers(0, 6)), max_size=4),
    st.integers(0, 40),
    st.booleans(),
)
@settings(max_examples=MORE)
def test_a_place_is_free_and_there_if_there_is_one(
    universe: Universe, pieces: list[tuple[int, int]], units: int, aligned: bool
) -> None:
    size = universe.size
    taken = [Range(min(start, size), min(start + many, size)) for start, many in pieces]
    owned = {place for item in taken for place in range(*item)}
    found = place(universe, taken, units, aligned=aligned)
    free = [
        start
        for start in range(size - units + 1)
        if not owned & set(range(start, start + max(units, 1))) and start < size
    ]
    if found is None:
        assert not free
        return
    assert found.range.size == units
    assert found.range.start in free
    if not aligned:
        assert found.range.start == free[0]


# --- Specs ---------------------------------------------------------------------------------------

WORLDS = [
    ("binary", 10), ("binary", 7), ("binary", 5), ("decimal", 3), ("decimal", 2), ("hex", 2),
    ("hex", 3), ("abc", 6), ("0123", 4),
]  # fmt: skip
ALPHABETS = {"binary": "01", "decimal": "0123456789", "hex": "0123456789abcdef"}


def spec(world: tuple[str, int], groups: list[Json], **more: Any) -> Json:
    names = ["v1", "v2", "v3"]
    return {
        "apiVersion": "pinroute.dev/v1alpha1",
        "kind": "AffinityExperiment",
        "metadata": {"name": "shop"},
        "spec": {
            "route": {"hosts": ["shop.example.com"], "gateways": ["istio-system/public"]},
            "userHash": {"from": {"header": "userhash"}, "alphabet": world[0], "digits": world[1]},
            "versions": [{"name": name, "service": {"host": name, "port": 80}} for name in names],
            "baseline": "v1",
            "groups": groups,
            **more,
        },
    }


def experiment_of(body: Json) -> Experiment:
    """Return the experiment of a spec; a spec without room for its groups is passed over."""
    found = load([Source("shop.yaml", json.dumps(body).encode())])
    errors = {item.code for item in found.diagnostics if item.severity is Severity.ERROR}
    # Halves of an odd universe, or a slot that rounding has made too small.
    assert errors <= {"PIN249", "PIN250"}
    if errors:
        reject()
    return found.experiments[0].spec.experiment


def universe_of(experiment: Experiment) -> Universe:
    return Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)


Members = dict[str, frozenset[str]]


def members(experiment: Experiment, stage: str) -> Members:
    """Return the user hashes of each group in a stage, and check that none is named twice."""
    universe = universe_of(experiment)
    found: Members = {}
    for group in allocated(experiment, stage).groups:
        named = [value for prefix in group.prefixes for value in inside(universe, prefix)]
        found[group.name] = frozenset(named)
        assert len(found[group.name]) == len(named)
    return found


def disjoint(found: Mapping[str, frozenset[str]]) -> bool:
    return not any(one & two for one, two in combinations(found.values(), 2))


def shares(draw: st.DrawFn, room: Fraction) -> Json:
    """Draw `percent`, `ramp` or both, at most as large as there is room."""
    decimals = draw(st.sampled_from([0, 1, 3]))
    most = int(room * 10**decimals)
    number = st.integers(0, most).map(lambda many: many / 10**decimals)
    percent = draw(number)
    ramp = sorted(draw(st.sets(number, min_size=1, max_size=4)))
    kind = draw(st.sampled_from(["percent", "ramp", "ramp", "both"]))
    if kind == "percent":
        return {"percent": percent}
    return {"ramp": ramp} if kind == "ramp" else {"ramp": ramp, "percent": max(percent, ramp[-1])}


def slot(draw: st.DrawFn, start: Fraction, end: Fraction) -> Json:
    bounds = [float(start), float(end)]
    if draw(st.booleans()):
        bounds.reverse()
    return {"slot": {"from": bounds[0], "to": bounds[1]}}


@st.composite
def slots(draw: st.DrawFn, most: int = 4) -> list[tuple[Fraction, Fraction]]:
    """Draw disjoint ranges in percent; some touch, some leave gaps."""
    cuts = st.integers(0, 1000).map(lambda tenths: Fraction(tenths, 10)) | st.sampled_from(
        [Fraction(n * 100, 16) for n in range(17)]
    )
    number = draw(st.integers(1, most))
    bounds = sorted(draw(st.sets(cuts, min_size=number + 1, max_size=2 * number)))
    ranges = list(pairwise(bounds))
    return draw(st.permutations(ranges))[:number]


SOMETIMES = st.booleans()
OUTPUTS = st.fixed_dictionaries({}, optional={"tolerance": st.sampled_from([0, 0.05, 0.5, 2, 10])})
BUDGETS = st.fixed_dictionaries(
    {"maxRules": st.integers(1, 12)}, optional={"tolerance": st.sampled_from([0, 0.5, 2])}
)
ROTATION = st.sampled_from([{}, {}, {"rotation": {"key": "2026-q4"}}, {"rotation": {"key": "b"}}])


class Case(NamedTuple):
    """A spec and its experiment."""

    body: Json
    experiment: Experiment

    @property
    def rising(self) -> list[str]:
        """The stages of a ramp, in order."""
        order = stage_order(self.experiment)
        return order[order.index("observe") + 1 : order.index("experiment") + 1]


@st.composite
def cases(
    draw: st.DrawFn,
    output: st.SearchStrategy[Json] = OUTPUTS,
    placed: st.SearchStrategy[bool] = SOMETIMES,
    world: tuple[str, int] | None = None,
) -> Case:
    """Draw a spec: some groups have a slot, others are placed."""
    world = world or draw(st.sampled_from(WORLDS))
    groups: list[Json] = []
    for number, (start, end) in enumerate(draw(slots())):
        group: Json = {"name": f"g{number}", "version": f"v{1 + number % 3}"}
        group.update(shares(draw, end - start))
        if draw(placed):
            group.update(slot(draw, start, end))
        groups.append(group)
    body = spec(world, groups, output=draw(output), **draw(ROTATION))
    return Case(body, experiment_of(body))


PINNED = st.just(True)
ANY_OUTPUT = OUTPUTS | BUDGETS


@given(cases(ANY_OUTPUT))
@settings(max_examples=2 * MORE)
def test_a_ramp_moves_no_user_twice(case: Case) -> None:
    before: Members = {}
    home: dict[str, str] = {}
    for stage in case.rising:
        found = members(case.experiment, stage)
        assert disjoint(found)
        for group, users in found.items():
            assert before.get(group, frozenset()) <= users, (stage, group)
            for user in users:
                assert home.setdefault(user, group) == group
        before = found
    # The groups of an A/A stage are those of the experiment.
    assert members(case.experiment, "observe") == before


def asked(group: Json, stage: str) -> Fraction:
    """Return the percentage that a spec asks for in a stage."""
    rungs = [Fraction(str(rung)) for rung in group.get("ramp", ())]
    if stage.startswith("ramp-") and rungs:
        reached = Fraction(stage.removeprefix("ramp-"))
        return max((rung for rung in rungs if rung <= reached), default=Fraction(0))
    return Fraction(str(group["percent"])) if "percent" in group else rungs[-1]


@given(cases())
@settings(max_examples=MORE)
def test_shares_are_what_was_asked_for(case: Case) -> None:
    """At most half a user hash away, or within the tolerance."""
    size = universe_of(case.experiment).size
    tolerance = Fraction(str(case.body["spec"]["output"].get("tolerance", 0)))
    for stage in case.rising:
        found = members(case.experiment, stage)
        for group in case.body["spec"]["groups"]:
            wanted = asked(group, stage) * size / 100
            seen = len(found[group["name"]])
            assert abs(seen - wanted) <= max(Fraction(1, 2), tolerance * size / 100)
            # A tolerance saves prefixes; it does not do away with a group.
            assert bool(seen) == (wanted >= Fraction(1, 2))


def prefixes_of(experiment: Experiment, stage: str) -> int:
    return sum(len(group.prefixes) for group in allocated(experiment, stage).groups)


@given(cases(BUDGETS))
@settings(max_examples=MORE)
def test_a_budget_of_prefixes_is_kept_where_it_can_be(case: Case) -> None:
    budget = case.body["spec"]["output"]["maxRules"]
    universe = universe_of(case.experiment)
    homes = plan(case.experiment).slots
    before: Members = {}
    for stage in case.rising:
        found = members(case.experiment, stage)
        # What no allocation can do without: what each group held, and one prefix at least.
        least = 0
        for name, users in found.items():
            home, held = homes[GroupName(name)], len(before.get(name, ()))
            if users:
                least += min(
                    cost(universe, home.part(count))
                    for count in range(max(held, 1), home.range.size + 1)
                )
        used = prefixes_of(case.experiment, stage)
        assert used <= budget or used == least, (stage, used, least)
        before = found


@given(cases(BUDGETS))
@settings(max_examples=MORE)
def test_a_budget_keeps_shares_as_close_as_it_allows(case: Case) -> None:
    """In the first rung, where nothing is held yet, no smaller tolerance would do."""
    stage = case.rising[0]
    universe = universe_of(case.experiment)
    homes = plan(case.experiment).slots
    given_tolerance = Fraction(str(case.body["spec"]["output"].get("tolerance", 0)))
    wanted = {
        group["name"]: units_of(universe, asked(group, stage))
        for group in case.body["spec"]["groups"]
    }
    found = members(case.experiment, stage)
    away = max(abs(len(users) - wanted[name]) for name, users in found.items())
    if away <= given_tolerance * universe.size / 100:
        return

    def needed(tolerance: int) -> int:
        return sum(
            min(
                (
                    cost(universe, homes[GroupName(name)].part(count))
                    for count in range(
                        max(units - tolerance, 1),
                        min(units + tolerance, homes[GroupName(name)].range.size) + 1,
                    )
                ),
                default=0,
            )
            for name, units in wanted.items()
            if units
        )

    assert needed(away - 1) > case.body["spec"]["output"]["maxRules"]


# --- Edits ---------------------------------------------------------------------------------------


@st.composite
def edits(draw: st.DrawFn) -> tuple[Case, Case, str]:
    """Draw a spec whose groups all have slots, and a change of one of them."""
    one = draw(cases(placed=PINNED))
    body = json.loads(json.dumps(one.body))
    groups: list[Json] = body["spec"]["groups"]
    at = draw(st.integers(0, len(groups) - 1))
    group = groups[at]
    name = group["name"]
    kind = draw(st.sampled_from(["remove", "share", "turn", "shrink", "version", "add", "order"]))
    low, high = sorted(Fraction(str(bound)) for bound in group["slot"].values())
    if kind == "remove":
        assume(len(groups) > 1)
        del groups[at]
    elif kind == "share":
        for field in ("percent", "ramp"):
            group.pop(field, None)
        group.update(shares(draw, high - low))
    elif kind == "turn":
        group["slot"] = {"from": group["slot"]["to"], "to": group["slot"]["from"]}
    elif kind == "shrink":
        group.pop("ramp", None)
        middle = (low + high) / 2
        group.update({"percent": 0, "slot": {"from": float(low), "to": float(middle)}})
    elif kind == "version":
        group["version"] = "v3"
    elif kind == "add":
        name = "new"
        middle = (low + high) / 2
        for field in ("percent", "ramp"):
            group.pop(field, None)
        group.update({"percent": 0, "slot": {"from": float(low), "to": float(middle)}})
        added = {"name": "new", "version": "v2", **shares(draw, (high - middle) * 9 / 10)}
        groups.insert(draw(st.integers(0, len(groups))), added | slot(draw, middle, high))
    else:
        groups[:] = draw(st.permutations(groups))
    return one, Case(body, experiment_of(body)), name if kind != "order" else ""


@given(edits())
@settings(max_examples=2 * MORE)
def test_an_edit_of_a_pinned_group_moves_nobody_elses_users(case: tuple[Case, Case, str]) -> None:
    one, two, edited = case
    touched = {edited}
    if edited == "new":  # room was made for it in the slot of another group
        touched |= {
            group["name"]
            for group, old in zip(
                [item for item in two.body["spec"]["groups"] if item["name"] != "new"],
                one.body["spec"]["groups"],
                strict=True,
            )
            if group != old
        }
    for stage in set(one.rising) & set(two.rising):
        before, after = members(one.experiment, stage), members(two.experiment, stage)
        assert disjoint(after)
        for name in (before.keys() & after.keys()) - touched:
            assert before[name] == after[name], (stage, name)


@given(cases(placed=st.just(False)))
@settings(max_examples=MORE)
def test_groups_without_slots_are_placed_apart(case: Case) -> None:
    homes = plan(case.experiment).slots
    assert len(homes) == len(case.experiment.groups)
    for one, two in combinations(homes.values(), 2):
        assert not one.range.overlaps(two.range)
    assert disjoint(members(case.experiment, "experiment"))


@st.composite
def beside_prefixes(draw: st.DrawFn) -> Case:
    """Draw a spec in which groups by share find their place beside listed prefixes."""
    world = draw(st.sampled_from([item for item in WORLDS if item[1] > 2]))
    alphabet = ALPHABETS.get(world[0], world[0])
    heads = draw(st.sets(st.text(alphabet, min_size=1, max_size=3), min_size=1, max_size=4))
    listed = [
        head
        for head in sorted(heads)
        if not any(head != other and head.startswith(other) for other in heads)
    ]
    rest = Fraction(100)
    for head in listed:
        rest -= Fraction(100, len(alphabet) ** len(head))
    groups: list[Json] = [{"name": "listed", "version": "v2", "prefixes": listed}]
    groups += [
        {"name": f"g{number}", "version": "v3", **shares(draw, rest / 3)} for number in range(2)
    ]
    body = spec(world, draw(st.permutations(groups)), output=draw(ANY_OUTPUT))
    return Case(body, experiment_of(body))


@given(beside_prefixes())
@settings(max_examples=MORE)
def test_listed_prefixes_and_shares_have_nobody_in_common(case: Case) -> None:
    own = next(group["prefixes"] for group in case.body["spec"]["groups"] if "prefixes" in group)
    universe = universe_of(case.experiment)
    for stage in case.rising:
        found = members(case.experiment, stage)
        assert disjoint(found)
        assert found["listed"] == {value for head in own for value in inside(universe, head)}


@pytest.mark.parametrize(
    ("world", "percents"),
    [
        (("binary", 10), [33.3, 33.3, 33.3]),
        (("binary", 12), [20, 20, 20, 20, 19.9]),
        (("binary", 16), [33.33, 33.33, 33.33]),
        (("decimal", 4), [20, 20, 20, 20, 20]),
        (("decimal", 2), [34, 33, 33]),
        (("hex", 16), [50, 30, 19.9]),
        (("hex", 16), [50, 50]),
        (("hex", 3), [1, 98]),
    ],
)
def test_what_fits_finds_room(world: tuple[str, int], percents: list[float]) -> None:
    groups = [
        {"name": f"g{number}", "version": "v2", "percent": percent}
        for number, percent in enumerate(percents)
    ]
    found = load([Source("shop.yaml", json.dumps(spec(world, groups)).encode())])
    assert not {item.code for item in found.diagnostics} & {"PIN249", "PIN250"}
    homes = list(plan(found.experiments[0].spec.experiment).slots.values())
    assert len(homes) == len(percents)
    assert not any(one.range.overlaps(two.range) for one, two in combinations(homes, 2))


# --- Rotation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("universe", SMALL)
@pytest.mark.parametrize("key", ["2026-q4", "", "ключ"])
def test_a_rotation_is_a_bijection_that_keeps_blocks(universe: Universe, key: str) -> None:
    moved = {value: rotated(universe, key, value) for value in universe.values()}
    assert sorted(moved.values()) == universe.values()
    for length in range(universe.digits + 1):
        for prefix in words(universe.alphabet, length):
            block = rotated(universe, key, prefix)
            assert len(block) == length
            assert {moved[value] for value in inside(universe, prefix)} == set(
                inside(universe, block)
            )


def test_keys_choose_different_users() -> None:
    universe = Universe("01", 10)
    found = {shifts(universe, f"key-{number}") for number in range(200)}
    assert len(found) > 150  # of 1,024 there are
    # Every digit is shifted by some keys and left by others.
    assert all({shift[digit] for shift in found} == {0, 1} for digit in range(10))
    # A key means the same in a finer universe: its users stay who they are.
    finer = Universe("01", 20)
    assert shifts(finer, "2026-q4")[:10] == shifts(universe, "2026-q4")


@given(cases(ANY_OUTPUT), st.text(min_size=1, max_size=5))
@settings(max_examples=FEWER)
def test_rotation_keeps_everything_but_who_is_meant(case: Case, key: str) -> None:
    universe = universe_of(case.experiment)
    plain = case.experiment._replace(rotation=None)
    turned = case.experiment._replace(rotation=key)
    for stage in case.rising:
        before, after = members(plain, stage), members(turned, stage)
        assert disjoint(after)
        assert after == {
            name: frozenset(rotated(universe, key, user) for user in users)
            for name, users in before.items()
        }
        for one, two in zip(
            allocated(plain, stage).groups, allocated(turned, stage).groups, strict=True
        ):
            assert sorted(map(len, one.prefixes)) == sorted(map(len, two.prefixes))
            assert list(two.prefixes) == sorted(two.prefixes)


# --- Pinning -------------------------------------------------------------------------------------


def layouts(body: Json) -> Iterator[str]:
    """Yield a spec as people write it: blocks, braces, JSON; with comments where they can be."""
    comment = "# who decided this, and why\n"
    yield comment + yaml.safe_dump(body, sort_keys=False)
    yield comment + yaml.safe_dump(body, sort_keys=False, default_flow_style=None)
    yield json.dumps(body, indent=2) + "\n"
    yield json.dumps(body)
    block = yaml.safe_dump(body, sort_keys=False, default_flow_style=None).splitlines()
    yield "".join(f"{line}  # line {number}\n" for number, line in enumerate(block))


@given(cases(ANY_OUTPUT), st.integers(0, 4))
@settings(max_examples=FEWER)
def test_pinning_moves_nobody_and_is_done_once(case: Case, layout: int) -> None:
    text = list(layouts(case.body))[layout]
    after = pinned(Source("shop.yaml", text.encode()))
    again = load([Source("shop.yaml", after.encode())])
    assert not any(item.severity is Severity.ERROR for item in again.diagnostics)
    experiment = again.experiments[0].spec.experiment
    assert all(group.slot is not None for group in experiment.groups)
    for stage in case.rising:
        assert allocated(experiment, stage) == allocated(case.experiment, stage)._replace(
            groups=tuple(
                old._replace(slot=new.slot)
                for old, new in zip(
                    allocated(case.experiment, stage).groups, experiment.groups, strict=True
                )
            )
        )
    # Nothing but slots is new.
    before, now = yaml.safe_load(text), yaml.safe_load(after)
    for old, new in zip(before["spec"]["groups"], now["spec"]["groups"], strict=True):
        assert old == {field: new[field] for field in old}
        assert new.keys() - old.keys() <= {"slot"}
    before["spec"]["groups"] = now["spec"]["groups"]
    assert before == now
    # Once is enough, also through the formatter; comments stay.
    assert pinned(Source("shop.yaml", after.encode())) == after
    tidy = formatted("shop.yaml", after.encode())
    assert tidy is not None
    assert pinned(Source("shop.yaml", tidy.encode())) == tidy
    assert [word for word in tidy.split() if word == "#"] == [
        word for word in text.split() if word == "#"
    ]


@given(cases(placed=st.just(False), world=("hex", 16)))
@settings(max_examples=FEWER)
def test_slots_of_a_huge_universe_can_be_written_down(case: Case) -> None:
    """16 hex digits have more places than a percentage has decimals."""
    text = json.dumps(case.body)
    after = pinned(Source("shop.yaml", text.encode()))
    again = load([Source("shop.yaml", after.encode())])
    assert not any(item.severity is Severity.ERROR for item in again.diagnostics)
    experiment = again.experiments[0].spec.experiment
    for stage in case.rising:
        for one, two in zip(
            allocated(experiment, stage).groups,
            allocated(case.experiment, stage).groups,
            strict=True,
        ):
            assert one.prefixes == two.prefixes


# --- Published vectors -----------------------------------------------------------------------------

# reference/peers-statistics-prefix-theory.md §6.7: percent, user hashes, disjoint prefixes.
FLAT = {
    1: (10, "0000000 000000100"),
    5: (51, "00000 000010 000011000 0000110010"),
    10: (102, "0000 00010 00011000 000110010"),
    12.5: (128, "000"),
    20: (205, "000 0010 0011000 00110010 0011001100"),
    33.3: (341, "00 0100 010100 01010100 0101010100"),
    37.5: (384, "00 010"),
    50: (512, "0"),
}
# … and how many rules the shortest longest-prefix list has, the catch-all not counted.
SHORTEST = {1: 2, 5: 4, 10: 4, 12.5: 1, 20: 5, 33.3: 5, 37.5: 2, 50: 1}


@pytest.mark.parametrize("percent", FLAT)
def test_published_vectors(percent: float) -> None:
    universe = Universe("01", 10)
    units, prefixes = FLAT[percent]
    assert units_of(universe, Fraction(str(percent))) == units
    assert percent_of(universe, units) == Fraction(100 * units, 1024)
    assert cover(universe, Range(0, units)) == prefixes.split()
    group = {"name": "g", "version": "v2", "percent": percent, "slot": {"from": 0, "to": 50}}
    experiment = experiment_of(spec(("binary", 10), [group]))
    assert allocated(experiment, "experiment").groups[0].prefixes == tuple(prefixes.split())
    leaves = [Leaf("v1", "rest"), Leaf("v2", "g")]
    table = table_of_prefixes(universe, leaves, 0, 0, dict.fromkeys(prefixes.split(), 1))
    assert len(minimise(table)) == SHORTEST[percent]
