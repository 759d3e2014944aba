"""What a request to a version gets: the fields of an Istio HTTPRoute.

Every header is set at one level only, that of the destination: where both levels set
one, Istio's winner depends on the number of destinations.
"""

from typing import Any

from pinroute.istio.routelist import Action, action
from pinroute.platforms.address import address
from pinroute.spec.model import Experiment, HeaderOps, HttpRoute, Version

JsonObject = dict[str, Any]


def version_action(
    experiment: Experiment, route: HttpRoute | None, version: Version, place: Version
) -> Action:
    """Return the action that sends a request to `version`, deployed in the place of `place`.

    The two differ after a promotion by copy: address and rewrites belong to the place,
    headers to the version.
    """
    where = address(place, experiment.environment, experiment.route.namespace)
    destination: JsonObject = {"host": where.host}
    if where.subset is not None:
        destination["subset"] = where.subset
    if where.port is not None and experiment.output.ports:
        destination["port"] = {"number": where.port}
    entry: JsonObject = {"destination": destination}
    headers = _headers(experiment, version, where.authority)
    if headers:
        entry["headers"] = headers
    fields: JsonObject = {}
    if place.rewrite:
        fields["rewrite"] = dict(place.rewrite)
    fields["route"] = [entry]
    if route is not None and route.timeout is not None:
        fields["timeout"] = route.timeout
    if route is not None and route.retries is not None:
        fields["retries"] = dict(route.retries)
    return action(fields)


def _headers(experiment: Experiment, version: Version, authority: str | None) -> JsonObject:
    output = experiment.output
    request = _operations(version.request, {"Host": authority} if authority is not None else {})
    own: dict[str, str] = {output.version_header: version.name} if output.version_header else {}
    response = _operations(version.response, own)
    if output.vary and not _mentions(version.response, "vary"):
        source = experiment.user_hash.source
        varies = source.name.lower() if source.kind == "header" else "authorization"
        response["add"] = {**response.get("add", {}), "vary": varies}
    both = {"request": request, "response": response}
    return {side: operations for side, operations in both.items() if operations}


def _operations(given: HeaderOps, own: dict[str, str]) -> JsonObject:
    fields: JsonObject = {}
    if own or given.set:
        fields["set"] = {**own, **given.set}
    if given.add:
        fields["add"] = dict(given.add)
    if given.remove:
        fields["remove"] = list(given.remove)
    return fields


def _mentions(given: HeaderOps, name: str) -> bool:
    return any(key.lower() == name for key in (*given.set, *given.add, *given.remove))
