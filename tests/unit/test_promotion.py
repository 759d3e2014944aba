"""Plans: phases, what they write, what they wait for, where they begin; live rules as a start."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pinroute.compilation import Checked, Source, compile_specs, load
from pinroute.manifest.bundle import render, render_phase
from pinroute.spec.meaning import stage_names
from pinroute.stages.gates import Ready, Restored, RoutedEverywhere, Scaled, Warm
from pinroute.stages.live import UnknownRules, live_state
from pinroute.stages.plan import (
    CannotPlan,
    Plan,
    abort_plan,
    close_plan,
    moved_back,
    moves,
    promotion_plan,
    start_of,
    step_plan,
)
from pinroute.stages.proof import refutations
from pinroute.stages.refusal import refusals
from pinroute.stages.stage import build_stage
from pinroute.stages.state import served
from pinroute.table.difference import difference

Json = dict[str, Any]

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp, namespace: ml}
spec:
  environment: {kserve: {version: "0.16"}}
  route:
    hosts: [a.com]
    gateways: [a/b]
    http:
    - {name: predict, match: [{uri: {prefix: /v1}}, {uri: {prefix: /v2}}]}
    - {name: rest, raw: {route: [{destination: {host: web}}]}}
  userHash: {from: {header: userhash}, digits: 4}
  versions:
  - name: red
    inferenceService:
      {name: m, namespace: base, predictor: {sklearn: {uri: r}, minReplicas: 3}}
  - name: blue
    inferenceService: {name: m, namespace: cand, predictor: {sklearn: {uri: b}}}
  - name: green
    inferenceService: {name: g, namespace: cand, predictor: {sklearn: {uri: g}}}
  baseline: red
  groups:
  - {name: one, version: blue, prefixes: ["00"]}
  - {name: two, version: green, prefixes: ["01"]}
"""
BASE, CAND = "InferenceService base/m", "InferenceService cand/m"


def checked(text: str = SPEC) -> Checked:
    result = load([Source("exp.yaml", text.encode())])
    assert [item for item in result.diagnostics if item.severity.value == "error"] == []
    return result.experiments[0]


def planned(
    text: str = SPEC, winner: str = "blue", stage: str = "experiment", done: int = 0
) -> Plan:
    found = checked(text)
    experiment = found.spec.experiment
    start = start_of(experiment, stage, found.manifests)
    version = experiment.version(winner)
    return promotion_plan(experiment, found.manifests, version, start, done)


def written(plan: Plan) -> list[list[str]]:
    return [
        [
            f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"
            for item in render_phase(plan.experiment, phase, "x")
        ]
        for phase in plan.phases
    ]


def test_a_promotion_by_copy_has_five_phases() -> None:
    plan = planned()
    assert plan.forward
    assert [(phase.name, phase.kind) for phase in plan.phases] == [
        ("promote-v2-phase-1", "scale"),
        ("promote-v2-phase-2", "route"),
        ("promote-v2-phase-3", "update"),
        ("promote-v2-phase-4", "return"),
        ("promote-v2-phase-5", "restore"),
    ]
    service = "VirtualService ml/exp"
    assert written(plan) == [[CAND], [service], [BASE], [service], [CAND]]
    bodies = [render_phase(plan.experiment, phase, "x")[0] for phase in plan.phases]
    assert bodies[0]["spec"] == {"predictor": {"sklearn": {"uri": "b"}, "minReplicas": 3}}
    assert bodies[2]["spec"] == {"predictor": {"sklearn": {"uri": "b"}, "minReplicas": 3}}
    assert bodies[4]["spec"] == {"predictor": {"sklearn": {"uri": "b"}}}
    digests = [bodies[at]["metadata"]["annotations"]["pinroute.dev/table-digest"] for at in (1, 3)]
    assert [phase.gates for phase in plan.phases] == [
        (Ready(CAND, "blue"), Scaled(CAND, BASE), Warm(CAND)),
        (RoutedEverywhere(digests[0]),),
        (Ready(BASE, "blue"), Warm(BASE)),
        (RoutedEverywhere(digests[1]),),
        (Restored(CAND),),
    ]
    assert [phase.after.serves[BASE] for phase in plan.phases] == ["red", "red", *["blue"] * 3]


def test_versions_count_and_not_places() -> None:
    """Who meets the winner in its own place and then in the baseline's has not moved."""
    moved = [
        [(str(move.before), str(move.after), move.share) for move in moves(*ends)["predict"]]
        for ends in ((phase.before, phase.after) for phase in planned().phases)
    ]
    there = [
        ("red", "blue", Fraction(1, 2)),
        ("green", "blue", Fraction(1, 4)),
        ("red", "blue", Fraction(0)),  # requests without a hash
    ]
    assert moved == [[], there, [], [], []]


def test_a_promotion_by_swap_has_two() -> None:
    plan = planned(SPEC + "  promotion: {strategy: swap}\n")
    assert [phase.kind for phase in plan.phases] == ["scale", "route"]
    assert written(plan) == [[CAND], ["VirtualService ml/exp"]]


def test_one_inference_service_is_not_copied_onto_itself() -> None:
    text = SPEC.replace("{name: m, namespace: cand,", "{name: m, namespace: base,")
    plan = planned(text)
    assert [phase.kind for phase in plan.phases] == ["scale", "route"]
    assert refutations(plan) == []


def test_the_baseline_is_promoted_like_an_abort() -> None:
    plan = planned(winner="red")
    assert not plan.forward
    assert [phase.name for phase in plan.phases] == ["promote-v1-phase-1"]
    assert plan.reason == "red is the baseline"
    quarter = Fraction(1, 4)
    assert moved_back(plan) == {("blue", "red"): quarter, ("green", "red"): quarter}
    assert refusals(checked().spec, plan) == []


def test_a_plan_goes_on_from_the_middle() -> None:
    plan = planned(stage="promote-v2-phase-3", done=3)
    assert [phase.number for phase in plan.phases] == [4, 5]
    assert plan.start.serves[BASE] == "blue"
    assert refutations(plan) == []


def test_another_winner_after_a_copy() -> None:
    """The baseline's place serves blue: who goes on to green meets red never again."""
    plan = planned(winner="green", stage="promote-v2")
    assert plan.start.serves[BASE] == "blue"
    assert refutations(plan) == []
    assert {str(move.before) for move in moves(plan.start, plan.end)["predict"]} == {"blue"}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("experiment", "promote-v2-phase-1", set()),
        ("experiment", "promote-v2-phase-2", set()),
        ("promote-v2-phase-2", "promote-v2-phase-3", set()),
        ("promote-v2-phase-3", "promote-v2-phase-4", set()),
        ("promote-v2-phase-4", "promote-v2-phase-3", set()),  # both serve blue
        ("promote-v2-phase-3", "promote-v2", set()),
        # The tutorial's own step, and what else leaves something out.
        ("experiment", "promote-v2", {"back", "mixed", "other"}),
        ("observe", "promote-v2", {"mixed"}),
        ("observe", "promote-v2-phase-1", {"other"}),
        ("promote-v2-phase-2", "promote-v2-phase-4", {"back", "mixed"}),
        ("promote-v2-phase-2", "promote-v2-phase-1", {"back"}),
        ("promote-v2-phase-4", "promote-v2-phase-2", {"back", "mixed"}),
    ],
)
def test_one_step(before: str, after: str, kinds: set[str]) -> None:
    found = checked()
    plan = step_plan(found.spec.experiment, found.manifests, before, after)
    assert {one.kind for one in refutations(plan)} == kinds
    for one in refutations(plan):
        assert one.witness in [f"{number:04b}" for number in range(16)]
    if (before, after) == ("experiment", "promote-v2"):
        (back,) = [one for one in refutations(plan) if one.kind == "back"]
        assert (back.witness, back.before, back.after) == ("0000", "blue", "red")


def test_requests_without_a_hash_are_users_too() -> None:
    text = SPEC + "  fallback: {noHash: green}\n"
    found = checked(text)
    plan = step_plan(found.spec.experiment, found.manifests, "observe", "promote-v2-phase-1")
    known = {(one.before, one.after): one.witness for one in refutations(plan)}
    assert known == {("red", "green"): "0100"}
    alone = text.replace('prefixes: ["01"]}', 'prefixes: ["00"]}').replace(
        "{name: one, version: blue,", "{name: one, version: red,"
    )
    alone = alone.replace(
        '"00"]}\n  - {name: two, version: green', '"11"]}\n  - {name: two, version: red'
    )
    found = checked(alone)
    plan = step_plan(found.spec.experiment, found.manifests, "observe", "promote-v2-phase-1")
    assert [one.witness for one in refutations(plan)] == ["<absent>"]


def test_an_abort_gives_the_baseline_its_model_back() -> None:
    found = checked()
    experiment = found.spec.experiment
    start = start_of(experiment, "promote-v2", found.manifests)
    plan = abort_plan(experiment, found.manifests, start, "errors")
    assert [(phase.kind, phase.name) for phase in plan.phases] == [
        ("update", ""),
        ("route", "promote-v1"),
    ]
    assert plan.phases[0].gates == (Ready(BASE, "red"),)
    assert moved_back(plan) == {("blue", "red"): 1}
    assert plan.reason == "errors"


def test_users_wait_elsewhere_where_a_transformer_goes() -> None:
    text = SPEC.replace("{sklearn: {uri: b}}}", "{sklearn: {uri: b}}, transformer: {t: 1}}")
    found = checked(text)
    experiment = found.spec.experiment
    start = start_of(experiment, "promote-v2", found.manifests)
    plan = abort_plan(experiment, found.manifests, start, "errors")
    assert [phase.kind for phase in plan.phases] == ["route", "update", "route"]
    assert [phase.number for phase in plan.phases] == [1, 2, 3]


def test_an_abort_needs_to_know_the_baseline() -> None:
    text = SPEC.replace(", predictor: {sklearn: {uri: r}, minReplicas: 3}}", "}")
    found = checked(text)
    experiment = found.spec.experiment
    start = start_of(experiment, "promote-v2", found.manifests)
    with pytest.raises(CannotPlan, match="base/m serves blue"):
        abort_plan(experiment, found.manifests, start, "errors")
    plan = abort_plan(experiment, {}, start_of(experiment, "experiment", {}), "errors")
    assert [phase.kind for phase in plan.phases] == ["route"]


def test_an_experiment_ends_in_routing_to_the_baseline() -> None:
    found = checked()
    experiment = found.spec.experiment
    start = start_of(experiment, "experiment", found.manifests)
    plan = close_plan(experiment, found.manifests, start, "inconclusive")
    assert [phase.name for phase in plan.phases] == ["done"]
    assert plan.end.tables.keys() == plan.start.tables.keys()
    assert sum(moved_back(plan).values()) == Fraction(1, 2)


def test_every_stage_has_one_name() -> None:
    names = stage_names(checked().spec.experiment)
    assert names["promote-blue-phase-4"] == names["promote-v2-phase-4"] == "promote-v2-phase-4"
    assert names["promote-red-phase-1"] == "promote-v1-phase-1"
    assert "promote-v1-phase-2" not in names
    assert "promote-v2-phase-6" not in names


def test_a_large_stage_is_told_of_once() -> None:
    blocks = ", ".join(f'"{number:012b}"' for number in range(0, 600, 2))
    text = SPEC.replace("digits: 4", "digits: 12").replace('["00"]', f"[{blocks}]")
    text = text.replace('["01"]', '["1"]')
    result = compile_specs([Source("exp.yaml", text.encode())], all_stages=True)
    large = [found.message for found in result.diagnostics if found.code == "PIN236"]
    assert len(large) == 2, large


# --- Live rules ----------------------------------------------------------------------------------


def service(found: Checked, stage: str) -> Json:
    experiment = found.spec.experiment
    return render(experiment, build_stage(experiment, stage, found.manifests), "x").virtual_service


@pytest.mark.parametrize("strict", ["true", "false"])
@pytest.mark.parametrize("alphabet", ["binary", '"*.x|"'])
@pytest.mark.parametrize("rules", ["minimal", "per-group"])
def test_live_rules_are_read_as_they_were_written(strict: str, alphabet: str, rules: str) -> None:
    text = SPEC.replace("digits: 4}", f"digits: 4, strict: {strict}, alphabet: {alphabet}}}")
    text += f"  output: {{rules: {rules}}}\n"
    if alphabet != "binary":
        text = text.replace('["00"]', '["*."]').replace('["01"]', '["*|", "x*.|"]')
    found = checked(text)
    experiment = found.spec.experiment
    done = build_stage(experiment, "done", {})
    for stage in dict.fromkeys(stage_names(experiment).values()):
        start = start_of(experiment, stage, found.manifests)
        live = live_state(experiment, done, service(found, stage), start.serves)
        assert live.serves == start.serves
        (ours,), (theirs,) = start.tables.values(), live.tables.values()
        assert difference(ours, theirs, lambda leaf: leaf.attribution) is None


def test_live_rules_of_another_form_are_known_by_where_they_lead() -> None:
    found = checked()
    experiment = found.spec.experiment
    live = service(found, "experiment")
    for rule in live["spec"]["http"]:
        for entry in rule["route"]:
            entry["weight"] = 100
            entry.get("destination", {}).pop("port", None)
        rule["timeout"] = "7s"
    state = live_state(experiment, build_stage(experiment, "done", {}), live, served(experiment))
    assert state.met(state.tables["predict"].leaf("0000")) == "blue"
    assert state.met(state.tables["predict"].leaf("1111")) == "red"


def test_a_place_that_nobody_knows_is_its_own_version() -> None:
    found = checked()
    experiment = found.spec.experiment
    live = service(found, "experiment")
    live["spec"]["http"][0]["route"] = [{"destination": {"host": "elsewhere"}}]
    state = live_state(experiment, build_stage(experiment, "done", {}), live, served(experiment))
    assert "elsewhere" in state.met(state.tables["predict"].leaf("0000"))
    plan = promotion_plan(experiment, found.manifests, experiment.version("blue"), state)
    assert refutations(plan) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda http: http.insert(0, {"match": [{"port": 81}], "route": []}), "does not know"),
        (lambda http: http.__delitem__(slice(0, 3)), "no rule"),
        (lambda http: http[0]["match"].pop(), "different versions"),
        (
            lambda http: http[0]["match"][0]["headers"].update(userhash={"regex": "0.*"}),
            "as no stage does",
        ),
        (
            lambda http: http[0]["match"][0]["headers"].update(userhash={"prefix": "2"}),
            "as no stage does",
        ),
        (lambda http: http.__delitem__(2), "without a catch-all"),
        (lambda http: http.insert(0, http.pop()), "in another order"),
        (lambda http: http.pop(), "in another order"),
    ],
    ids=["strange", "none", "half", "regex", "alphabet", "open", "moved", "removed"],
)
def test_live_rules_that_no_stage_writes(change: Any, problem: str) -> None:
    found = checked()
    experiment = found.spec.experiment
    live = service(found, "experiment")
    change(live["spec"]["http"])
    with pytest.raises(UnknownRules, match=problem):
        live_state(experiment, build_stage(experiment, "done", {}), live, served(experiment))


def test_a_route_that_is_not_there_is_unrouted() -> None:
    plan = planned()
    lost = plan.phases[1].after._replace(tables={})
    phases = list(plan.phases)
    phases[1] = phases[1]._replace(after=lost)
    phases[2] = phases[2]._replace(before=lost)
    found = refutations(plan._replace(phases=tuple(phases[:2])))
    assert {(one.kind, one.after) for one in found} == {
        ("other", "unrouted"),
        ("back", "unrouted"),
    }
