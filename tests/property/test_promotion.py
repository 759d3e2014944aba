"""Promotions: every forward plan moves nobody back, and a plan out of order is refused.

The judge knows neither tables nor proofs. It keeps the objects of a cluster, sends every
user hash, malformed ones and a missing one through the VirtualService by "the first rule
that matches wins", looks which model the InferenceService behind it runs, and does so for
every mix of what is there before and after each phase.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise, product
from typing import Any, NamedTuple

from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from pinroute.compilation import Checked, Source, load
from pinroute.manifest.bundle import render, render_phase
from pinroute.spec.meaning import stage_names
from pinroute.spec.promotion import UPDATE, promotion_of
from pinroute.stages.plan import Phase, Plan, abort_plan, moved_back, promotion_plan, start_of
from pinroute.stages.proof import refutations
from pinroute.stages.stage import build_stage
from pinroute.stages.state import place_name

Json = dict[str, Any]
Models = dict[str, str]  # host that a request is sent to -> the version that answers there

PLATFORMS: dict[str, Json] = {
    "service": {},
    "knative": {"kserve": {"version": "0.16"}},
    "old names": {"kserve": {"version": "0.10"}},
    "standard": {"kserve": {"version": "0.15", "mode": "Standard"}},
    "kfserving": {"kfserving": {"version": "0.6"}},
}
ROUTES: list[list[Json]] = [
    [],
    [{"name": "predict", "match": [{"uri": {"prefix": "/v1"}}, {"uri": {"exact": "/v2"}}]}],
    [
        {"name": "health", "raw": {"directResponse": {"status": 200}, "match": [{"port": 81}]}},
        {"name": "rest", "timeout": "5s"},
    ],
]


@st.composite
def backends(draw: st.DrawFn, platform: str, number: int) -> Json:
    if platform == "service":
        return {"service": {"host": f"app-{number}", "port": 80}}
    own: list[Json] = [{"sklearn": {"uri": f"v{number}"}}, {"model": {"storageUri": f"v{number}"}}]
    predictor = draw(st.sampled_from(own))
    for field in ("minReplicas", "maxReplicas"):
        if draw(st.booleans()):
            predictor = {**predictor, field: draw(st.integers(0, 5))}
    inference: Json = {"name": "model", "namespace": f"ns-{number}", "predictor": predictor}
    if draw(st.booleans()):
        inference["transformer"] = {"containers": [{"name": f"v{number}"}]}
    return {"inferenceService": inference}


@st.composite
def specs(draw: st.DrawFn) -> Json:
    platform = draw(st.sampled_from(list(PLATFORMS)))
    number = draw(st.integers(2, 3))
    names = [f"v{place}" for place in range(1, number + 1)]
    versions = [
        {"name": name, **draw(backends(platform, place))} for place, name in enumerate(names, 1)
    ]
    strict = draw(st.booleans())
    groups = []
    ramped = draw(st.booleans())
    for place, block in enumerate(draw(st.permutations(["00", "01", "10", "11"]))[:3]):
        group: Json = {"name": f"g{place}", "version": draw(st.sampled_from(names))}
        start = 25 * int(block, 2)
        if ramped:
            group |= {"ramp": [5, 20], "slot": {"from": start, "to": start + 25}}
        else:
            group |= {"prefixes": [block + draw(st.sampled_from(["", "0", "1"]))]}
        groups.append(group)
    fallback = {
        field: draw(st.sampled_from(names))
        for field in ("unassigned", "noHash", *(["malformed"] if strict else []))
        if draw(st.booleans())
    }
    spec: Json = {
        "environment": PLATFORMS[platform],
        "route": {
            "hosts": ["a.example.com"],
            "gateways": ["a/b"],
            "http": draw(st.sampled_from(ROUTES)),
        },
        "userHash": {"from": {"header": "userhash"}, "digits": 5, "strict": strict},
        "versions": versions,
        "baseline": draw(st.sampled_from(names)),
        "groups": groups,
        "fallback": fallback,
        "output": {
            "rules": draw(st.sampled_from(["minimal", "per-group"])),
            "versionHeader": draw(st.sampled_from(["version", ""])),
        },
    }
    if not spec["route"]["http"]:
        del spec["route"]["http"]
    if draw(st.booleans()):
        spec["promotion"] = {"strategy": "swap"}
    head = {"apiVersion": "pinroute.dev/v1alpha1", "kind": "AffinityExperiment"}
    return {**head, "metadata": {"name": "exp"}, "spec": spec}


def checked(body: Json) -> Checked:
    result = load([Source("exp.yaml", json.dumps(body).encode())])
    assert [item for item in result.diagnostics if item.severity.value == "error"] == []
    (found,) = result.experiments
    return found


# The judge.


class World(NamedTuple):
    """What is in a cluster: the VirtualService, and the InferenceServices by namespace."""

    service: Json
    models: dict[str, Json]

    def apply(self, objects: tuple[Json, ...]) -> World:
        world = self
        for item in objects:
            if item["kind"] == "InferenceService":
                models = {**world.models, item["metadata"]["namespace"]: item["spec"]}
                world = world._replace(models=models)
            elif item["kind"] == "VirtualService":
                world = world._replace(service=item)
        return world


def holds(match: Json, value: str | None) -> bool:
    if value is None:
        return False
    if not match:
        return True
    ((kind, text),) = match.items()
    if kind == "regex":
        return re.fullmatch(text, value) is not None
    return value == text if kind == "exact" else value.startswith(text)


def answer(service: Json, models: dict[str, Json], value: str | None) -> str:
    """The version that really answers a request, whatever its response header says."""
    for rule in service["spec"]["http"]:
        for match in rule.get("match", [{}]):
            headers = match.get("headers", {})
            if match.get("port") == 81 or match.get("uri") == {"exact": "/v2"}:
                continue  # the requests here come to port 80, for /v1
            if all(holds(text, value) for text in headers.values()):
                (entry,) = rule["route"]
                asked = entry.get("headers", {}).get("request", {}).get("set", {})
                host = asked.get("Host", entry["destination"]["host"])
                found = re.match(r"app-(\d)", host)
                if found is not None:
                    return f"v{found[1]}"
                [(name, namespace)] = re.findall(r"^([a-z-]+)\.(ns-\d)", host)
                spec = models[namespace]
                # The Service of a transformer is there with a transformer only, and takes all.
                assert ("transformer" in spec) == ("transformer" in name), (host, spec)
                predictor = spec["predictor"]
                said = [predictor[key] for key in ("sklearn", "model") if key in predictor]
                assert len(said) == 1, predictor
                (model,) = said[0].values()
                assert spec.get("transformer", {}).get("containers", [{"name": model}]) == [
                    {"name": model}
                ]
                return str(model)
    raise AssertionError(f"{value!r} is not routed")


VALUES: list[str | None] = [
    None,
    *("".join(chars) for chars in product("01", repeat=5)),
    *("", "0", "101", "1111x", "x", "000000", "110101"),
]


class Fault(NamedTuple):
    """What the judge has seen: who, in which phase, and of which kind."""

    phase: int
    kind: str
    value: str | None


def faults(worlds: list[World], winner: str) -> set[Fault]:
    """Everything that goes wrong for somebody between two neighbouring worlds."""
    found: set[Fault] = set()
    for value in VALUES:
        won = False
        for number, (old, new) in enumerate(pairwise(worlds), 1):
            now = answer(old.service, old.models, value)
            won = won or now == winner
            for service in (old.service, new.service):
                met = {mixed(service, models, value) for models in (old.models, new.models)} - {""}
                if len(met) > 1:
                    found.add(Fault(number, "mixed", value))
                if won and met - {winner}:
                    found.add(Fault(number, "back", value))
                elif met - {now, winner}:
                    found.add(Fault(number, "other", value))
            won = won or answer(new.service, new.models, value) == winner
    return found


def mixed(service: Json, models: dict[str, Json], value: str | None) -> str:
    """As `answer`; nothing where the Service of a transformer is not there yet, or no more."""
    try:
        return answer(service, models, value)
    except AssertionError:
        return ""


def world_of(found: Checked, stage: str) -> World:
    experiment = found.spec.experiment
    rendered = render(experiment, build_stage(experiment, stage, found.manifests), "x")
    models: dict[str, Json] = {}
    for version in experiment.versions:
        own = version.inference_service
        if own is not None:
            parts = {"predictor": own.predictor, "transformer": own.transformer}
            models[own.namespace] = {key: body for key, body in parts.items() if body is not None}
    return World({}, models).apply(rendered.objects)


def worlds_of(found: Checked, start: World, phases: tuple[Phase, ...]) -> list[World]:
    worlds = [start]
    for phase in phases:
        worlds.append(worlds[-1].apply(render_phase(found.spec.experiment, phase, "x")))
    return worlds


@settings(max_examples=settings().max_examples * 2)
@given(specs(), st.data())
def test_a_forward_plan_moves_nobody_back(body: Json, data: st.DataObject) -> None:
    """From every live stage, also from the middle of this or of another promotion."""
    found = checked(body)
    experiment = found.spec.experiment
    stage = data.draw(st.sampled_from(sorted(set(stage_names(experiment).values()))))
    winner = data.draw(st.sampled_from([*experiment.versions]))
    live = promotion_of(stage)
    here = experiment.versions.index(winner) + 1
    done = live.phase if live is not None and live.version == here else 0
    start = start_of(experiment, stage, found.manifests)
    plan = promotion_plan(experiment, found.manifests, winner, start, done)
    note(f"{stage} -> {winner.name}: {[phase.name for phase in plan.phases]}")
    worlds = worlds_of(found, world_of(found, stage), plan.phases)
    ended = {answer(worlds[-1].service, worlds[-1].models, value) for value in VALUES}
    assert plan.phases == () or ended == {winner.name}
    if plan.forward:
        assert refutations(plan) == []
        assert faults(worlds, winner.name) == set()
        assert moved_back(plan) == {}
    else:
        assert winner.name == experiment.baseline


def refolded(plan: Plan, steps: list[tuple[Phase, ...]]) -> Plan:
    """The phases of a plan in other steps: in another order, left out, several at once."""
    before = plan.start
    phases: list[Phase] = []
    base = place_name(plan.experiment, plan.experiment.version(plan.experiment.baseline))
    for number, step in enumerate(steps, 1):
        after = before
        for phase in step:
            if phase.routes is not None:
                after = after._replace(tables=phase.after.tables)
            if phase.kind == UPDATE:
                after = after._replace(serves={**after.serves, base: plan.winner})
        bodies = tuple(body for phase in step for body in phase.inference_services)
        routes = next((phase.routes for phase in reversed(step) if phase.routes is not None), None)
        last = step[-1]._replace(number=number, inference_services=bodies, routes=routes)
        phases.append(last._replace(before=before, after=after))
        before = after
    return plan._replace(phases=tuple(phases))


@settings(max_examples=settings().max_examples * 4)
@given(specs(), st.data())
def test_the_proof_says_what_the_judge_sees(body: Json, data: st.DataObject) -> None:
    """Plans with their phases in any order, left out or joined: refused if, and only if, wrong."""
    found = checked(body)
    experiment = found.spec.experiment
    winner = data.draw(st.sampled_from([*experiment.versions]))
    assume(winner.name != experiment.baseline)
    transformed = {
        "transformer" in one.get("inferenceService", {}) for one in body["spec"]["versions"]
    }
    assume(len(transformed) == 1)  # else some orders have states in which nobody answers
    stages = [name for name in stage_names(experiment).values() if promotion_of(name) is None]
    stage = data.draw(st.sampled_from(sorted(set(stages))))
    start = start_of(experiment, stage, found.manifests)
    whole = promotion_plan(experiment, found.manifests, winner, start)
    order = data.draw(st.permutations(whole.phases))
    kept = order[: data.draw(st.integers(1, len(order)))]
    cuts = data.draw(st.lists(st.booleans(), min_size=len(kept), max_size=len(kept)))
    steps: list[tuple[Phase, ...]] = []
    for phase, cut in zip(kept, cuts, strict=True):
        if steps and cut:
            steps[-1] = (*steps[-1], phase)
        else:
            steps.append((phase,))
    plan = refolded(whole, steps)
    note(f"{stage} -> {winner.name}: {[[phase.kind for phase in step] for step in steps]}")
    seen = faults(worlds_of(found, world_of(found, stage), plan.phases), winner.name)
    refused = refutations(plan)
    kinds = {(one.phase.number, one.kind) for one in refused}
    assert {(fault.phase, fault.kind) for fault in seen} <= kinds
    for one in refused:
        value = None if one.witness == "<absent>" else one.witness
        assert value in VALUES or len(value or "") != 5
        known = [
            fault for fault in seen if (fault.phase, fault.kind) == (one.phase.number, one.kind)
        ]
        assert known, one
        if value in VALUES:
            assert Fault(one.phase.number, one.kind, value) in known


@given(specs(), st.data())
def test_an_abort_brings_everybody_to_the_baseline(body: Json, data: st.DataObject) -> None:
    found = checked(body)
    experiment = found.spec.experiment
    stage = data.draw(st.sampled_from(sorted(set(stage_names(experiment).values()))))
    start = start_of(experiment, stage, found.manifests)
    plan = abort_plan(experiment, found.manifests, start, "a guardrail was crossed")
    world = world_of(found, stage)
    worlds = worlds_of(found, world, plan.phases)
    before = [answer(world.service, world.models, value) for value in VALUES[1:33]]
    after = [answer(worlds[-1].service, worlds[-1].models, value) for value in VALUES]
    assert set(after) == {experiment.baseline}
    for old, new in pairwise(worlds):
        for service, models in product((old.service, new.service), (old.models, new.models)):
            assert all(mixed(service, models, value) for value in VALUES), "nobody answers"
    shares = moved_back(plan)
    assert {pair[0]: share * 32 for pair, share in shares.items() if share} == {
        name: before.count(name) for name in set(before) - {experiment.baseline}
    }
    assert plan.reason
