"""A stage brought to a cluster: planned as a whole, then written object by object.

Backends come before the route that names them, and go after it. Each write names the
state that it was planned for, so that what somebody does in between is a conflict.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from pinroute.change.impact import impact_of
from pinroute.change.model import Impact, Incomparable
from pinroute.change.serving import identity
from pinroute.cluster.api.client import MANAGER, Client
from pinroute.cluster.api.failure import ClusterFailure, Conflict, Denied
from pinroute.cluster.api.kinds import DESTINATION_RULE, Body, Identity, identity_of, kind_of
from pinroute.cluster.comparison import alters, difference, is_applied, own_fields
from pinroute.cluster.owner import experiment_of
from pinroute.cluster.safety import Permissions, about_users, standing_against
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.istio.resource import as_list, as_mapping
from pinroute.spec.digest import digest
from pinroute.spec.load import load
from pinroute.spec.nodes import Document

CREATED, CONFIGURED, UNCHANGED = "created", "configured", "unchanged"
PRUNED, DELETED = "pruned", "deleted"


class Manner(NamedTuple):
    """How to write: in whose name, over whose head, and what is allowed."""

    manager: str = MANAGER
    force: bool = False
    prune: bool = False
    permissions: Permissions = Permissions()


class Step(NamedTuple):
    """One object: as it is, and as it is wanted (None: not at all).

    `alters` tells whether fields change, and not only who manages them.
    """

    what: Identity
    live: Body | None
    wanted: Body | None
    action: str
    alters: bool = True

    @property
    def changes(self) -> bool:
        """Whether there is something to write."""
        return self.action != UNCHANGED


class Plan(NamedTuple):
    """What bringing a stage of one experiment to the cluster would do.

    `impact` is None where no VirtualService was there before: then nobody is moved.
    """

    compiled: Compiled
    steps: tuple[Step, ...]
    findings: tuple[Diagnostic, ...] = ()
    impact: Impact | None = None

    def digest(self) -> str:
        """Return what binds a write to this plan: every object, as it is and as it is wanted."""
        return digest(
            [
                [
                    step.what.key,
                    own_fields(step.live) if step.live is not None else None,
                    step.wanted,
                ]
                for step in self.steps
            ]
        )


def plan(compiled: Compiled, view: View, manner: Manner) -> Plan:
    """Return what there is to do, and what stands against it; nothing is written.

    Where every field is as it should be, nobody else is looked at.
    """
    found = compiled.rendered[0]
    steps = [_step(body, view, manner) for body in found.objects]
    if manner.prune:
        steps += _pruned(compiled, view)
    service = steps[len(found.objects) - 1]
    if not any(step.alters for step in steps):
        return Plan(compiled, tuple(steps))
    live = [step.live for step in steps[: len(found.objects)]]
    findings = standing_against(compiled, live, view, manner.permissions)
    impact = None
    if service.live is not None and not any(item.code in _NOT_OURS for item in findings):
        impact, wrong = _impact(compiled, service.live, manner.permissions)
        findings += wrong
    return Plan(compiled, tuple(steps), tuple(findings), impact)


_NOT_OURS = frozenset({"PIN401", "PIN403", "PIN412", "PIN413"})


def _step(wanted: Body, view: View, manner: Manner) -> Step:
    what = identity_of(wanted)
    live = view.live(what)
    if live is None:
        return Step(what, None, wanted, CREATED)
    same = is_applied(live, wanted, manner.manager)
    action = UNCHANGED if same else CONFIGURED
    return Step(what, live, wanted, action, alters(live, wanted, manner.manager))


def _pruned(compiled: Compiled, view: View) -> Iterator[Step]:
    """Yield what carries the labels of an experiment and is in its stage no more.

    Never an InferenceService: it may hold the model that serves everybody.
    """
    route, own = compiled.checked.spec.experiment.route, identity(compiled)
    objects = compiled.rendered[0].objects
    wanted = {identity_of(body) for body in objects}
    version = kind_of(objects[-1]).version
    for kind in (kind_of(objects[-1]), DESTINATION_RULE._replace(version=version)):
        for body in view.all_of(kind, (route.namespace, own[0])):
            what = identity_of(body)
            if experiment_of(body) == own and what not in wanted:
                yield Step(what, body, None, PRUNED)


def _impact(
    compiled: Compiled, live: Body, permissions: Permissions
) -> tuple[Impact | None, list[Diagnostic]]:
    try:
        impact = impact_of([document_of(live)], [compiled])
    except Incomparable as error:
        if permissions.allow_back:
            return None, []
        path: Path = ("spec", "userHash")
        span = compiled.checked.spec.document.span(path)
        return None, [diagnose("PIN416", span, path, problem=str(error))]
    return impact, about_users(compiled, impact, permissions)


def document_of(body: Body) -> Document:
    """Return a live object as what is read from a file; its name tells where it is from."""
    text = json.dumps(own_fields(body))
    return load(f"live {identity_of(body).key}", text.encode()).others[0]


class Write(NamedTuple):
    """A step that was carried out: the object before and after."""

    step: Step
    after: Body | None


def carry_out(step: Step, client: Client, manner: Manner, *, dry_run: bool = False) -> Write:
    """Write one object; raises ClusterFailure.

    Where an answer was lost on its way, what is there then tells: repeated, such a request
    may look like a conflict.
    """
    if not step.changes:
        return Write(step, step.live)
    if step.wanted is None:
        if step.live is not None:
            _delete(step.what, step.live, client, dry_run)
        return Write(step, None)
    body = dict(step.wanted)
    force = False  # over what somebody creates meanwhile
    if step.live is not None:
        version = step.live["metadata"]["resourceVersion"]
        body["metadata"] = {**body["metadata"], "resourceVersion": version}
        force = manner.force or (manner.permissions.adopt and experiment_of(step.live) is None)
    try:
        return Write(
            step, client.apply(body, manager=manner.manager, force=force, dry_run=dry_run)
        )
    except ClusterFailure as failure:
        if not failure.is_uncertain and not (isinstance(failure, Conflict) and failure.as_whole):
            raise
        now = _now(step.what, client)
        if now is None or not is_applied(now, step.wanted, manner.manager):
            raise
        return Write(step, now)


def _delete(what: Identity, live: Body, client: Client, dry_run: bool) -> None:
    try:
        client.delete(live, dry_run=dry_run)
    except ClusterFailure as failure:
        if dry_run or not failure.is_uncertain or _now(what, client, live) is not None:
            raise


def _now(what: Identity, client: Client, unknown: Body | None = None) -> Body | None:
    """Return what is there now, `unknown` where that cannot be asked: the first failure counts."""
    try:
        return client.get(*what)
    except ClusterFailure:
        return unknown


def shown(step: Step, client: Client, manner: Manner) -> str:
    """Return what a step changes as a unified diff, with what the API server makes of it."""
    if step.wanted is None:
        return difference(step.live, None)
    return difference(step.live, carry_out(step, client, manner, dry_run=True).after)


def refusal(compiled: Compiled, denied: Denied) -> Diagnostic:
    """Return the refusal of an object at the place of the spec that it is about."""
    path = _refused(compiled, denied.reason)
    found = diagnose("PIN415", compiled.checked.spec.document.span(path), path, problem="")
    return found._replace(message=str(denied))  # whole, however long


def _refused(compiled: Compiled, reason: str) -> Path:
    """Return the path of what a refusal is about: the API server counts rules, Istio names none.

    What we write ourselves is taken; so without a number it is the raw route, if there is one.
    """
    experiment = compiled.checked.spec.experiment
    routes = {one.name: index for index, one in enumerate(experiment.route.http)}
    raw = [one.name for one in experiment.route.http if one.raw is not None]
    number = re.search(r"spec\.http\[(\d+)\]", reason)
    rules = as_list(as_mapping(compiled.rendered[0].virtual_service.get("spec")).get("http"))
    name = raw[0] if len(raw) == 1 else ""
    if number is not None and int(number[1]) < len(rules):
        name = str(as_mapping(rules[int(number[1])]).get("name"))
    for index, group in enumerate(experiment.groups):
        if f"pin/{experiment.name}/{group.name}" in (name.rpartition("/")[0], name):
            return ("spec", "groups", index)
    return ("spec", "route", "http", routes[name]) if name in routes else ("spec", "route")
