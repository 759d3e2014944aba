"""Objects of the stages: what a promotion writes, and names that may not meet."""

from typing import Any

import pytest
import yaml

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.stages.stage import with_prefixes

Json = dict[str, Any]

MODELS = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp, namespace: ml}
spec:
  environment: {kserve: {version: "0.16"}}
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, digits: 4}
  versions:
  - {name: old, inferenceService: {name: model, manifest: old.yaml}}
  - {name: new, inferenceService: {name: model, namespace: candidate, manifest: new.yaml}}
  - {name: third, inferenceService: {name: third, predictor: {xgboost: {c: 3}}, transformer: {t: 3}}}
  baseline: old
  groups: [{name: g, version: new, prefixes: ["1"]}]
"""
MANIFEST = """\
apiVersion: v1
kind: Secret
metadata: {name: model, namespace: NAMESPACE}
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: model, namespace: NAMESPACE, labels: {a: b}}
spec: {predictor: {sklearn: {uri: NAMESPACE}}}
"""
SERVICES = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, digits: 4}
  versions:
  - {name: v1, service: {host: app, port: 80}}
  - {name: v2, service: {host: other, port: 80}}
  baseline: v1
  groups: [{name: g, version: v2, prefixes: ["1"]}]
"""


def read(name: str) -> bytes:
    return MANIFEST.replace(
        "NAMESPACE", {"old.yaml": "ml", "new.yaml": "candidate"}[name]
    ).encode()


def compiled(text: str, name: str = "specs/exp.yaml") -> Compiled:
    result = compile_specs([Source(name, text.encode(), read)], all_stages=True)
    assert not result.failed, result.diagnostics
    return result.experiments[0]


def objects(experiment: Compiled) -> dict[str, list[Json]]:
    return {stage.name: list(stage.objects) for stage in experiment.rendered}


def test_the_stages_in_order() -> None:
    copies = [
        [*(f"promote-v{number}-phase-{phase}" for phase in range(1, 6)), f"promote-v{number}"]
        for number in (2, 3)
    ]
    names = ["observe", "experiment", "promote-v1-phase-1", "promote-v1", *copies[0], *copies[1]]
    assert list(objects(compiled(MODELS))) == [*names, "done"]


def test_a_promotion_by_copy_writes_the_winner_into_the_baselines_place() -> None:
    found = objects(compiled(MODELS))
    kinds = {name: [item["kind"] for item in items] for name, items in found.items()}
    alone, both = ["VirtualService"], ["InferenceService", "VirtualService"]
    updated = {
        f"promote-v{number}{tail}"
        for number in (2, 3)
        for tail in ("-phase-3", "-phase-4", "-phase-5", "")
    }
    assert kinds == {name: both if name in updated else alone for name in found}
    second, third = found["promote-v2"][0], found["promote-v3"][0]
    assert second["metadata"]["name"] == third["metadata"]["name"] == "model"
    assert second["metadata"]["namespace"] == third["metadata"]["namespace"] == "ml"
    assert second["spec"] == {"predictor": {"sklearn": {"uri": "candidate"}}}
    assert third["spec"] == {"predictor": {"xgboost": {"c": 3}}, "transformer": {"t": 3}}
    hosts = [
        found[stage][-1]["spec"]["http"][0]["route"][0]["headers"]["request"]["set"]["Host"]
        for stage in ("promote-v1", "promote-v2", "promote-v3", "done")
    ]
    # The third has a transformer, which takes its requests.
    assert hosts == [
        "model-predictor.ml.svc.cluster.local",
        "model-predictor.ml.svc.cluster.local",
        "model-transformer.ml.svc.cluster.local",
        "model-predictor.ml.svc.cluster.local",
    ]


def test_the_transformer_of_a_manifest_takes_the_requests() -> None:
    def with_transformer(name: str) -> bytes:
        return read(name).replace(b"spec: {", b"spec: {transformer: {t: 1}, ")

    result = compile_specs([Source("exp.yaml", MODELS.encode(), with_transformer)])
    rules = result.experiments[0].rendered[0].virtual_service["spec"]["http"]
    hosts = [rule["route"][0]["headers"]["request"]["set"]["Host"] for rule in rules]
    assert hosts == [f"model-transformer.{name}.svc.cluster.local" for name in ("candidate", "ml")]


def test_a_model_that_serves_everybody_is_not_pruned() -> None:
    notes = objects(compiled(MODELS))["promote-v2"][0]["metadata"]["annotations"]
    assert notes["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert notes["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_a_promotion_by_swap_moves_the_traffic() -> None:
    found = objects(compiled(MODELS + "  promotion: {strategy: swap}\n"))
    assert all(len(items) == 1 for items in found.values())
    route = found["promote-v2"][0]["spec"]["http"][0]["route"][0]
    host = route["headers"]["request"]["set"]["Host"]
    assert host == "model-predictor.candidate.svc.cluster.local"


def test_the_digest_of_a_spec_does_not_depend_on_its_stage() -> None:
    one = compiled(SERVICES)
    two = compiled(SERVICES.replace("spec:\n", "spec:\n  stage: done\n"))
    assert one.checked.digest == two.checked.digest
    assert objects(one) == objects(two)
    other = compiled(SERVICES.replace("port: 80", "port: 81"))
    assert other.checked.digest != one.checked.digest


def test_two_hosts_that_begin_alike_have_rules_and_files_of_their_own() -> None:
    text = SERVICES.replace(
        "{host: app, port: 80}", "{host: app.one.local, subset: s, labels: {v: a}}"
    ).replace("{host: other, port: 80}", "{host: app.two.local, subset: s, labels: {v: b}}")
    experiment = compiled(text)
    found = objects(experiment)["experiment"]
    rules = [item for item in found if item["kind"] == "DestinationRule"]
    assert {rule["spec"]["host"] for rule in rules} == {"app.one.local", "app.two.local"}
    assert len({rule["metadata"]["name"] for rule in rules}) == 2
    files = [name for name in experiment.files() if "destinationrule" in name]
    assert len(files) == 2


def test_one_host_has_one_rule_with_all_subsets() -> None:
    text = SERVICES.replace(
        "{host: app, port: 80}", "{host: app, subset: a, labels: {v: a}}"
    ).replace("{host: other, port: 80}", "{host: app, subset: b, labels: {v: b}}")
    rules = [item for item in objects(compiled(text))["done"] if item["kind"] == "DestinationRule"]
    (rule,) = rules
    assert rule["metadata"]["name"] == "exp-app"
    assert rule["spec"] == {
        "host": "app.default.svc.cluster.local",
        "subsets": [{"name": "a", "labels": {"v": "a"}}, {"name": "b", "labels": {"v": "b"}}],
    }


LAYERS = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, alphabet: "0123", digits: 4}
  versions:
  - {name: ONE, service: {host: app, port: 80}}
  - {name: TWO, service: {host: other, port: 80}}
  baseline: TWO
  groups:
  - {name: g, version: ONE, prefixes: ["01", "02", "03", "000"]}
  - {name: h, version: TWO, prefixes: ["001", "002", "003"]}
  output: {rules: minimal}
"""


@pytest.mark.parametrize(
    "names",
    [("red", "red-2"), ("red-2", "red"), ("fallback", "no-hash"), ("malformed", "fallback")],
)
def test_minimal_rules_never_share_a_name_or_a_counter(names: tuple[str, str]) -> None:
    """Two layers of one version, beside a version that is called like a second layer."""
    text = LAYERS.replace("ONE", names[0]).replace("TWO", names[1])
    http = objects(compiled(text))["experiment"][-1]["spec"]["http"]
    headers = [[item.get("headers") for item in rule["match"]] for rule in http]
    hashes: list[list[Json | None]] = [
        [{"userhash": {"prefix": prefix}}] for prefix in ("000", "00", "0")
    ]
    assert headers == [*hashes, [None]]
    assert len({rule["name"] for rule in http}) == len(http)
    stats = [item["statPrefix"] for rule in http for item in rule["match"]]
    assert len(set(stats)) == len(stats)


@pytest.mark.parametrize("number", ["2", "2.0", "2e0", "20e-1"])
def test_whole_numbers_are_written_whole(number: str) -> None:
    text = SERVICES.replace("spec:\n", f"spec:\n  generation: {number}\n").replace(
        ": 80", ": 80.0"
    )
    service = objects(compiled(text))["experiment"][-1]
    assert service["metadata"]["annotations"]["pinroute.dev/epoch"] == "2"
    rule = service["spec"]["http"][0]
    assert rule["match"][0]["statPrefix"].endswith("_g2v2_g")
    port = rule["route"][0]["destination"]["port"]["number"]
    assert (port, type(port)) == (80, int)


@pytest.mark.parametrize("name", ["a\nb: c\n.yaml", "\u2028.yaml", "\udcff.yaml", "a\rb.yaml"])
def test_an_odd_file_name_stays_in_its_comment(name: str) -> None:
    for text in compiled(SERVICES, name).files().values():
        head = text.split("\n")[:3]
        assert [line[:1] for line in head] == ["#", "#", "#"]
        assert text.encode()
        assert all(isinstance(item, dict) for item in yaml.safe_load_all(text))


def test_a_sparse_spec_says_only_what_it_has_to() -> None:
    """The tutorial's form: every switch off."""
    output = "{ruleNames: false, statPrefixes: false, labels: false, ports: false, vary: false"
    text = SERVICES + f'  output: {output}, versionHeader: ""}}\n'
    assert objects(compiled(text))["experiment"] == [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "exp", "namespace": "default"},
            "spec": {
                "gateways": ["a/b"],
                "hosts": ["a.com"],
                "http": [
                    {
                        "match": [{"headers": {"userhash": {"prefix": "1"}}}],
                        "route": [{"destination": {"host": "other.default.svc.cluster.local"}}],
                    },
                    {"route": [{"destination": {"host": "app.default.svc.cluster.local"}}]},
                ],
            },
        }
    ]


def test_a_budget_that_one_group_exceeds_leaves_the_others_as_close_as_it_can() -> None:
    """5.6 % of 256 hashes need 14 prefixes or, 2 away, one: three are left for 5 hashes, not two."""
    spec = yaml.safe_load(
        """
        apiVersion: pinroute.dev/v1alpha1
        kind: AffinityExperiment
        metadata: {name: e}
        spec:
          route: {hosts: [a.example.com], gateways: [a/b]}
          userHash: {from: {header: h-x}, alphabet: hex, digits: 2}
          versions:
          - {name: v1, service: {host: a, port: 80}}
          - {name: v2, service: {host: b, port: 80}}
          baseline: v1
          groups:
          - {name: a, version: v1, percent: 5.6, slot: {from: 0, to: 6.25}}
          - {name: b, version: v2, percent: 2}
          output: {maxRules: 4, tolerance: 0.5}
        """
    )
    [compiled] = compile_specs([Source("spec.yaml", yaml.safe_dump(spec).encode())]).experiments
    experiment = with_prefixes(compiled.checked.spec.experiment, "experiment")
    assert [group.prefixes for group in experiment.groups] == [("0",), ("10", "11", "12")]
