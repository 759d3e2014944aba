"""From an experiment to its stages: the ordered routes, the tables they make, what else to apply.

observe      the groups exist, and all of them meet the baseline (A/A)
experiment   the groups meet their versions
promote-vK   everybody meets version K
done         everybody meets the baseline, and the experiment's groups are gone
"""

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, NamedTuple

from pinroute.istio.counters import counters_of
from pinroute.istio.routelist import Action, Item, RouteList, table_of_items
from pinroute.platforms.naming import api_version
from pinroute.spec.meaning import stage_names
from pinroute.spec.model import Body, Experiment, Version, VersionName
from pinroute.stages.actions import version_action
from pinroute.stages.parts import Part, parts_of
from pinroute.stages.rules import Naming, group_items, minimal_items, raw_items, table_of_parts
from pinroute.table.difference import difference
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


class Stage(NamedTuple):
    """One complete state of the routing.

    `tables` has a table for each entry of `route.http` that takes part; the attribution
    of its leaves is a `Part`. `inference_service` is the object that a promotion by
    copy writes before the routes.
    """

    name: str
    routes: RouteList
    tables: Mapping[str, Table]
    inference_service: Mapping[str, Any] | None


class Unproved(Exception):
    """The rules do not make the table of the spec: a bug, never a user's mistake."""


def stage_order(experiment: Experiment) -> list[str]:
    """Return the canonical names of all stages, in the order in which they follow."""
    return list(dict.fromkeys(stage_names(experiment).values()))


def by_copy(experiment: Experiment) -> bool:
    """Tell whether a promotion copies the winner into the baseline's place.

    That is Iter8's way and the default for InferenceServices; a Service cannot be
    copied, so there the candidate's own place takes all traffic.
    """
    copies = all(version.inference_service is not None for version in experiment.versions)
    return copies and experiment.promotion != "swap"


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
    promoted = _promoted(experiment, stage)
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
            copied = promoted is not None and by_copy(experiment)
            place = experiment.version(experiment.baseline) if copied else version
            return version_action(experiment, route, version, place)

        table = table_of_parts(parts, universe, act)
        if minimal:
            found = minimal_items(parts, route, naming, act, table)
        else:
            found = group_items(parts, route, naming, act)
        _prove(stage, table, found, naming, whole=not minimal or table.strict)
        tables[route.name if route is not None else ""] = table
        items += found
    changed = _inference_service(experiment, promoted, manifests) if promoted is not None else None
    source = experiment.user_hash.source
    return Stage(stage, RouteList(source, universe, tuple(items)), tables, changed)


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


def _promoted(experiment: Experiment, stage: str) -> Version | None:
    if not stage.startswith("promote-v"):
        return None
    return experiment.versions[int(stage.removeprefix("promote-v")) - 1]


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


def _inference_service(
    experiment: Experiment, version: Version, manifests: Mapping[VersionName, Body]
) -> Mapping[str, Any] | None:
    """Return the winner's InferenceService in the baseline's place, None if nothing changes."""
    baseline = experiment.version(experiment.baseline)
    place, own = baseline.inference_service, version.inference_service
    platform = experiment.environment.platform
    if version.name == baseline.name or not by_copy(experiment):
        return None
    if place is None or own is None or platform is None:
        return None
    given = manifests.get(version.name)
    if given is not None:
        spec = dict(given["spec"])
    else:
        components = {"predictor": own.predictor, "transformer": own.transformer}
        spec = {name: dict(body) for name, body in components.items() if body is not None}
    return {
        "apiVersion": api_version(platform),
        "kind": "InferenceService",
        "metadata": {"name": place.name, "namespace": place.namespace},
        "spec": spec,
    }
