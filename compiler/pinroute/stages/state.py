"""A state of the routing as users meet it: which place answers them, and what it serves."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pinroute.istio.resource import as_list, as_mapping, full_host, response_value
from pinroute.istio.routelist import Action, Item, table_of_items
from pinroute.platforms.address import Address, address
from pinroute.spec.model import Body, Experiment, HttpRoute, Version
from pinroute.spec.promotion import copies
from pinroute.stages.actions import version_action
from pinroute.stages.promotion import baseline_place
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


class Spot(NamedTuple):
    """Where a rule sends a request, and which version it says is there.

    `place` is a `place_name`, or the rule itself where it leads to no place of the spec.
    """

    place: str
    version: str


class State(NamedTuple):
    """A table for each entry of `route.http` that takes part, and what places serve.

    The attribution of the tables' leaves is a `Spot`. A place that is not in `serves`
    serves what the rule says: several versions may share a Service.
    """

    tables: Mapping[str, Table]
    serves: Mapping[str, str]

    def met(self, leaf: Leaf) -> str:
        """Return the version that requests of a leaf meet."""
        spot = leaf.attribution
        if not isinstance(spot, Spot):
            raise TypeError("the table is none of a state")
        return self.serves.get(spot.place, spot.version)


def place_name(experiment: Experiment, version: Version) -> str:
    """Return what the place of a version is called: by its InferenceService, or its Service."""
    own = version.inference_service
    if own is not None:
        return f"InferenceService {own.namespace}/{own.name}"
    where = address(version, experiment.environment, experiment.route.namespace)
    port = f":{where.port}" if where.port is not None else ""
    subset = f" subset {where.subset}" if where.subset is not None else ""
    return f"Service {where.host}{port}{subset}"


def served(experiment: Experiment) -> dict[str, str]:
    """Return what each place serves while nothing is promoted; shared places are left out."""
    found: dict[str, str] = {}
    shared: set[str] = set()
    for version in experiment.versions:
        place = place_name(experiment, version)
        if place in found:
            shared.add(place)
        found[place] = version.name
    return {place: name for place, name in found.items() if place not in shared}


def state_of(
    experiment: Experiment, rules: Mapping[str, Iterable[Item]], serves: Mapping[str, str]
) -> State:
    """Return the state that rules make: `rules` are the items of each entry of `route.http`.

    The items may be live ones: their actions are known by what they say, or else by
    where they lead. Raises ValueError where they leave requests without a route.
    """
    universe = Universe(experiment.user_hash.alphabet, experiment.user_hash.digits)
    entries = {route.name: route for route in experiment.route.http}
    tables: dict[str, Table] = {}
    for name, items in rules.items():
        found = list(items)
        spot_of = _spots(experiment, entries.get(name))
        spots = {item.action.outcome: spot_of(item.action) for item in found}
        table = table_of_items(found, universe)
        tables[name] = table._replace(
            leaves=tuple(Leaf(leaf.outcome, spots[str(leaf.outcome)]) for leaf in table.leaves)
        )
    return State(tables, serves)


def _spots(experiment: Experiment, route: HttpRoute | None) -> Callable[[Action], Spot]:
    """Return what tells of the action of a rule where it leads."""
    said: dict[str, Spot] = {}
    places: dict[Address, set[Spot]] = {}
    for version in experiment.versions:
        where = [version]
        if copies(experiment, version):
            where.append(baseline_place(experiment, version))
        for place in where:
            spot = Spot(place_name(experiment, place), version.name)
            written = version_action(experiment, route, version, place)
            said.setdefault(written.outcome, spot)
            found = address(place, experiment.environment, experiment.route.namespace)
            for one in (found, found._replace(port=None)):
                places.setdefault(one, set()).add(Spot(spot.place, place.name))
    names = {version.name for version in experiment.versions}

    def spot_of(act: Action) -> Spot:
        there = places.get(_address(act.fields, experiment), set())
        if act.outcome in said:
            return said[act.outcome]
        if len({spot.place for spot in there}) != 1:
            return Spot(act.outcome, act.outcome)
        entry = as_mapping(next(iter(as_list(act.fields.get("route"))), None))
        told = response_value(entry, act.fields, experiment.output.version_header)
        known = min(there)
        return known._replace(version=told) if told in names else known

    return spot_of


def _address(fields: Body, experiment: Experiment) -> Address:
    """Return where the only destination of a rule leads; nowhere if it has none, or several."""
    route = [as_mapping(entry) for entry in as_list(fields.get("route"))]
    if len(route) != 1:
        return Address("", None)
    there = as_mapping(route[0].get("destination"))
    domain = experiment.environment.cluster_domain
    host = full_host(str(there.get("host") or ""), experiment.route.namespace, domain).lower()
    port = as_mapping(there.get("port")).get("number")
    headers = as_mapping(as_mapping(as_mapping(route[0].get("headers")).get("request")).get("set"))
    authority = next((str(text) for key, text in headers.items() if key.lower() == "host"), None)
    subset = there.get("subset")
    return Address(host, port, None if subset is None else str(subset), authority)
