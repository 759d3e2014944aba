"""How an experiment stands in a cluster, as its live VirtualService tells it."""

from collections.abc import Mapping
from typing import NamedTuple

from pinroute.change.model import Incomparable
from pinroute.change.serving import Serving, identity, serving
from pinroute.change.shares import VERSION_HEADER, Shares, shares_of
from pinroute.cluster.api.kinds import Body, Identity, identity_of
from pinroute.cluster.backends import Backend, backend_of
from pinroute.cluster.deployment import document_of
from pinroute.cluster.owner import Owner, experiment_of, managers, note_of, owners
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.istio.resource import CLUSTER_DOMAIN, as_list, as_mapping, virtual_service
from pinroute.manifest.objects import EPOCH, STAGE, TABLE_DIGEST
from pinroute.spec.digest import digest

NONE, EDITED, OTHER, UNKNOWN = "none", "edited", "other", "unknown"


class Status(NamedTuple):
    """One experiment, or VirtualService. Without `live` there is none in the cluster.

    `drift`: `edited` if the rules are not those that pinroute wrote, `other` if they are
    not those of the spec's stage, `unknown` if they carry no digest. `spec_stage` is the
    stage of the spec, where one was given.
    """

    service: Identity
    experiment: tuple[str, str]
    live: Body | None
    stage: str = ""
    epoch: str = ""
    shares: Shares | None = None
    problem: str = ""
    backends: Mapping[str, tuple[Backend, ...]] = {}
    drift: str = NONE
    owners: tuple[Owner, ...] = ()
    created: str = ""
    spec_stage: str | None = None


def status_of(live: Body, view: View, compiled: Compiled | None = None) -> Status:
    """Return how a live VirtualService stands, compared with its spec if that is given."""
    metadata = as_mapping(live.get("metadata"))
    what = identity_of(live)
    shares, problem = _shares(live, compiled)
    domain = CLUSTER_DOMAIN
    if compiled is not None:
        domain = compiled.checked.spec.experiment.environment.cluster_domain
    named = identity(compiled) if compiled is not None else (what.namespace, what.name)
    places = shares.places if shares is not None else {}
    return Status(
        what,
        experiment_of(live) or named,
        live,
        note_of(live, STAGE),
        note_of(live, EPOCH),
        shares,
        problem,
        {
            version: tuple(backend_of(where, view, domain) for where in found)
            for version, found in places.items()
        },
        drift_of(live, compiled),
        tuple(_owners(live)),
        str(metadata.get("creationTimestamp") or ""),
        compiled.stages[0].name if compiled is not None else None,
    )


def absent(compiled: Compiled, what: Identity) -> Status:
    """Return the status of an experiment that is not in the cluster."""
    return Status(what, identity(compiled), None, drift=OTHER, spec_stage=compiled.stages[0].name)


def _shares(live: Body, compiled: Compiled | None) -> tuple[Shares | None, str]:
    spec: Serving | None = None
    header = VERSION_HEADER
    try:
        if compiled is not None:
            spec = serving(compiled)
            header = compiled.checked.spec.experiment.output.version_header
        return shares_of(serving(document_of(live)), spec, header), ""
    except Incomparable as error:
        return None, str(error)


def drift_of(live: Body, compiled: Compiled | None) -> str:
    """Return whether live rules are what was written, and what the spec says."""
    rules = as_list(as_mapping(live.get("spec")).get("http"))
    written = note_of(live, TABLE_DIGEST)
    edited = bool(written) and digest(rules) != written
    if compiled is None:
        return EDITED if edited else NONE if written else UNKNOWN
    wanted = compiled.rendered[0].virtual_service
    own = as_list(wanted["spec"]["http"])
    if compiled.checked.spec.experiment.route.splice:  # among the rules of its owner
        names = {as_mapping(rule).get("name") for rule in own}
        rules = [rule for rule in rules if as_mapping(rule).get("name") in names]
        return NONE if rules == own else OTHER
    if digest(rules) == digest(own) and _claims(live) == _claims(wanted):
        return NONE
    return EDITED if edited else OTHER


def _claims(body: Body) -> tuple[frozenset[str], frozenset[str]]:
    found = virtual_service(0, body)
    return frozenset(found.hosts), frozenset(found.gateways)


def _owners(live: Body) -> list[Owner]:
    """Return who looks after an object; pinroute where nobody else does."""
    found = owners(live)
    return found or ([Owner("pinroute")] if "pinroute" in managers(live) else [])
