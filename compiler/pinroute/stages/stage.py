"""From an experiment to its stages: the ordered routes, the tables they make, what else to apply.

observe      the groups exist, and all of them meet the baseline (A/A)
experiment   the groups meet their versions
promote-vK   everybody meets version K; promote-vK-phase-J is a step on the way there
done         everybody meets the baseline, and the experiment's groups are gone
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pinroute.istio.counters import counters_of
from pinroute.istio.routelist import Action, Item, RouteList, table_of_items
from pinroute.spec.meaning import stage_names
from pinroute.spec.model import Body, Experiment, VersionName
from pinroute.spec.promotion import SCALE, kind_of, promotion_of
from pinroute.stages.actions import version_action
from pinroute.stages.parts import Part, parts_of
from pinroute.stages.promotion import inference_services, place_of
from pinroute.stages.rules import Naming, group_items, minimal_items, raw_items, table_of_parts
from pinroute.table.difference import difference
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


class Stage(NamedTuple):
    """One complete state of the routing.

    `tables` has a table for each entry of `route.http` that takes part; the attribution
    of its leaves is a `Part`. `inference_services` are the objects that a promotion
    writes before the routes.
    """

    name: str
    routes: RouteList
    tables: Mapping[str, Table]
    inference_services: tuple[Body, ...] = ()


class Unproved(Exception):
    """The rules do not make the table of the spec: a bug, never a user's mistake."""


def stage_order(experiment: Experiment) -> list[str]:
    """Return the canonical names of all stages, in the order in which they follow."""
    return list(dict.fromkeys(stage_names(experiment).values()))


def build_stage(
    experiment: Experiment, stage: str, manifests: Mapping[VersionName, Body]
) -> Stage:
    """Build a stage and prove that its rules make its tables.

    `manifests` holds the InferenceService of each version that is given as a file.
    """
    experiment = with_prefixes(experiment, stage)
    universe = Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)
    parts = parts_of(experiment, stage)
    naming = _naming(experiment)
    promotion = promotion_of(stage)
    kind = kind_of(experiment, promotion) if promotion is not None else ""
    winner = experiment.versions[promotion.version - 1] if promotion is not None else None
    minimal = experiment.output.rules == "minimal"
    items: list[Item] = []
    tables: dict[str, Table] = {}
    for route in experiment.route.http or (None,):
        if route is not None and route.raw is not None:
            items += raw_items(route, experiment.output.rule_names)
            continue

        @cache
        def act(name: VersionName, route: Any = route) -> Action:
            version = experiment.version(name)
            place = version
            if winner is not None and kind != SCALE:
                place = place_of(experiment, winner, kind)
            return version_action(experiment, route, version, place)

        table = table_of_parts(parts, universe, act)
        if minimal:
            found = minimal_items(parts, route, naming, act, table)
        else:
            found = group_items(parts, route, naming, act)
        _prove(stage, table, found, naming, whole=not minimal or table.strict)
        tables[route.name if route is not None else ""] = table
        items += found
    changed = () if winner is None else inference_services(experiment, winner, kind, manifests)
    source = experiment.user_hash.source
    return Stage(stage, RouteList(source, universe, tuple(items)), tables, changed)


def build_stages(
    experiment: Experiment, names: Sequence[str], manifests: Mapping[VersionName, Body]
) -> tuple[Stage, ...]:
    """Build several stages; the first phases of promotions share the rules of `experiment`."""
    found: dict[str, Stage] = {}
    for name in names:
        promotion = promotion_of(name)
        known = found.get("experiment")
        if known is not None and promotion and kind_of(experiment, promotion) == SCALE:
            winner = experiment.versions[promotion.version - 1]
            bodies = inference_services(experiment, winner, SCALE, manifests)
            found[name] = known._replace(name=name, inference_services=bodies)
        else:
            found[name] = build_stage(experiment, name, manifests)
    return tuple(found.values())


def with_prefixes(experiment: Experiment, stage: str) -> Experiment:
    """Return the experiment with the prefixes that groups given by a share have in a stage."""
    if not any(group.by_share for group in experiment.groups):
        return experiment
    from pinroute.stages.allocation import allocated

    return allocated(experiment, stage)


def _naming(experiment: Experiment) -> Naming:
    output = experiment.output
    return Naming(
        f"pin/{experiment.name}/" if output.rule_names else "",
        counters_of(experiment) if output.stat_prefixes else None,
    )


def _prove(stage: str, table: Table, items: list[Item], naming: Naming, *, whole: bool) -> None:
    """Compare what the rules say with what the spec says: for every string, if `whole`.

    Otherwise for every user hash and for a missing one: minimal rules may send a
    malformed hash elsewhere. Compared is what a request gets, and by which counter a
    bucket is counted.
    """

    def told(leaf: Leaf) -> Hashable:
        part = leaf.attribution
        if not isinstance(part, Part):
            return leaf
        counter = None
        if part.bucket is not None:
            counter = naming.stat(part.label, part.version, part.bucket)
        return Leaf(leaf.outcome, counter)

    condition = items[0].condition
    written = table_of_items(
        [item for item in items if item.condition is condition], table.universe
    )
    witness = difference(table, written, told, hashes_only=not whole)
    if witness is not None:
        raise Unproved(f"stage {stage}: value {witness!r} is not routed as the spec says")
