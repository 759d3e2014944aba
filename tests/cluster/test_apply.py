"""diff and apply on a real API server with Istio's webhook."""

import json
import time

import pytest

from servers.objects import service

from .conftest import Shop
from .inference import models

APPLY = ("apply", "-f", "experiment.yaml")
DIFF = ("diff", "-f", "experiment.yaml")
FOREIGN = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  hosts: [NAMESPACE.example.com]
  gateways: [istio-system/public]
  http:
  - route: [{destination: {host: app-v1, port: {number: 80}}}]
"""

FOREIGN_RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: checkout-app-v1, namespace: NAMESPACE}
spec: {host: app-v1, subsets: [{name: own, labels: {app: own}}]}
"""


def foreign(shop: Shop, name: str = "checkout", manager: str = "kubectl") -> None:
    text = FOREIGN.replace("NAMESPACE", shop.namespace).replace("NAME", name)
    words = ("apply", "--server-side", "--field-manager", manager, "-f", "-")
    shop.cluster.kubectl(*words, stdin=text)


def test_a_new_experiment_is_created_and_then_unchanged(shop: Shop) -> None:
    before = shop.run(*DIFF)
    assert before.code == 1
    assert f"+++ applied/VirtualService/{shop.namespace}/checkout" in before.out
    assert shop.live() is None
    first = shop.run(*APPLY)
    assert (first.code, first.err) == (0, "")
    assert first.out == "virtualservice.networking.istio.io/checkout created\n"
    live = shop.live()
    assert live["metadata"]["labels"]["pinroute.dev/experiment"] == "checkout"
    managers = [(one["manager"], one["operation"]) for one in live["metadata"]["managedFields"]]
    assert managers == [("pinroute", "Apply")]
    again = shop.run(*APPLY)
    assert again.out == "virtualservice.networking.istio.io/checkout unchanged\n"
    assert shop.live()["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    assert shop.run(*DIFF) == type(again)(0, "", "")


def test_a_change_is_shown_with_its_impact_and_replaced_in_place(shop: Shop) -> None:
    shop.run(*APPLY)
    before = shop.live()
    shop.write(('"101"', '"10"'))
    shown = shop.run(*DIFF)
    assert shown.code == 1
    assert "-          prefix: '101'\n+          prefix: '10'\n" in shown.out
    assert "12.5000% of the users move; nobody goes back" in shown.err
    applied = shop.run(*APPLY)
    assert applied.out == "virtualservice.networking.istio.io/checkout configured\n"
    after = shop.live()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_users_are_not_moved_back_unless_that_is_allowed(shop: Shop) -> None:
    shop.run(*APPLY)
    before = shop.live()
    shop.write(('"101"', '"1011"'))
    refused = shop.run(*APPLY)
    assert refused.code == 1
    assert (
        "error[PIN410] 6.2500% of the users go from v2 back to v1, for example 1010" in refused.err
    )
    assert refused.err.endswith("nothing was written\n")
    assert refused.out == ""
    assert shop.live() == before
    assert shop.run(*APPLY, "--allow-back").code == 0


def test_no_more_users_move_than_are_allowed(shop: Shop) -> None:
    shop.run(*APPLY)
    shop.write(('"101"', '"10"'))
    refused = shop.run(*APPLY, "--max-moved", "5%")
    assert refused.code == 1
    assert "error[PIN411] 12.5000% of the users move, --max-moved allows 5.0000%" in refused.err
    assert shop.run(*APPLY, "--max-moved", "12.5%").code == 0


def test_a_virtual_service_of_somebody_else_is_refused_or_adopted(shop: Shop) -> None:
    foreign(shop)
    refused = shop.run(*APPLY)
    assert refused.code == 1
    assert "error[PIN401]" in refused.err
    assert "it is looked after by kubectl" in refused.err
    assert shop.live()["spec"]["http"][0].get("match") is None
    adopted = shop.run(*APPLY, "--adopt")
    assert adopted.code == 0
    assert "of the users move" in adopted.err  # who meets something else is told
    assert shop.live()["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pinroute"


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        (
            "annotations: {argocd.argoproj.io/tracking-id: 'shop:networking.istio.io/VirtualService:a/b'}",
            "Argo CD (application shop)",
        ),
        (
            "labels: {kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: flux-system}",
            "Flux (Kustomization flux-system/apps)",
        ),
    ],
)
def test_what_is_synced_from_git_is_changed_there(shop: Shop, metadata: str, owner: str) -> None:
    shop.run(*APPLY)
    patch = f"metadata: {{{metadata}}}"
    shop.cluster.kubectl(
        *(
            "patch",
            "virtualservice",
            "checkout",
            "-n",
            shop.namespace,
            "--type",
            "merge",
            "-p",
            patch,
        )
    )
    shop.write(('"101"', '"10"'))
    refused = shop.run(*APPLY)
    assert refused.code == 1
    assert "error[PIN402]" in refused.err
    assert f"is synced from Git by {owner}" in refused.err
    assert shop.run(*APPLY, "--override-gitops").code == 0


def test_an_object_of_another_experiment_is_left_alone(shop: Shop) -> None:
    shop.run(*APPLY)
    shop.write(
        ("{name: checkout, namespace", "{name: other, namespace"),
        ("    hosts:", "    virtualService: {name: checkout}\n    hosts:"),
    )
    refused = shop.run(*APPLY, "--adopt")
    assert refused.code == 1
    assert "error[PIN403]" in refused.err
    assert f"belongs to experiment {shop.namespace}/checkout" in refused.err


def test_an_old_spec_is_refused(shop: Shop) -> None:
    shop.write(("spec:\n", "spec:\n  generation: 7\n"))
    shop.run(*APPLY)
    shop.write(("spec:\n", "spec:\n  generation: 6\n"))
    refused = shop.run(*APPLY, "--allow-back")
    assert refused.code == 1
    assert (
        "error[PIN404] the live VirtualService is of generation 7, the spec of generation 6"
        in refused.err
    )


def test_gateways_and_their_hosts_are_looked_at(shop: Shop) -> None:
    shop.write(("istio-system/public", "istio-system/absent"))
    assert "warning[PIN405] there is no Gateway istio-system/absent" in shop.run(*APPLY).err
    narrow = '{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: narrow, namespace: NAMESPACE}, spec: {selector: {a: b}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["a.example.org"]}]}}'
    shop.create(narrow.replace("NAMESPACE", shop.namespace))
    shop.write(("istio-system/public", "narrow"))
    found = shop.run(*DIFF)
    assert "warning[PIN406]" in found.err
    assert "only for a.example.org" in found.err


def test_backends_come_before_the_route_that_names_them(shop: Shop) -> None:
    shop.write(("app-v2", "app-v3"))
    absent = shop.run(*APPLY)
    assert absent.code == 1
    assert f"error[PIN407] version 'v2' needs Service {shop.namespace}/app-v3" in absent.err
    shop.create(service(shop.namespace, "app-v3", ready=False))
    unready = shop.run(*APPLY)
    assert (unready.code, shop.live()) == (1, None)
    assert "error[PIN408]" in unready.err
    allowed = shop.run(*APPLY, "--allow-unready")
    assert allowed.code == 0
    assert "warning[PIN408]" in allowed.err


def test_others_that_claim_the_host_are_named(shop: Shop) -> None:
    foreign(shop, "older")
    found = shop.run(*APPLY)
    assert found.code == 0
    assert "warning[PIN409]" in found.err
    assert f"claimed by VirtualService {shop.namespace}/older, created 2" in found.err


def test_experiments_that_are_for_files_only(shop: Shop) -> None:
    shop.write(("  baseline:", "  output: {labels: false}\n  baseline:"))
    assert "error[PIN412]" in shop.run(*APPLY).err
    (shop.folder / "owned.yaml").write_text(
        FOREIGN.replace("NAMESPACE", shop.namespace).replace("NAME", "owned"), "utf-8"
    )
    shop.write(
        (
            "    hosts:",
            "    virtualService: {name: owned, mode: splice, file: owned.yaml}\n    hosts:",
        )
    )
    assert "error[PIN413]" in shop.run(*APPLY).err


def test_what_the_webhook_refuses_is_told_at_our_place(shop: Shop) -> None:
    """A raw route is passed through as it is; the limit of a label is the API server's own."""
    shop.write(("  route:\n", "  route:\n    virtualService: {name: checkout}\n"))
    text = (shop.folder / "experiment.yaml").read_text("utf-8")
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": shop.namespace},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["networking.istio.io"],
                        "apiVersions": ["*"],
                        "operations": ["*"],
                        "resources": ["virtualservices"],
                    }
                ],
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": shop.namespace}
                },
            },
            "validations": [{"expression": "false", "message": "not on a Friday"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": shop.namespace},
        "spec": {"policyName": shop.namespace, "validationActions": ["Deny"]},
    }
    shop.create(json.dumps(policy) + "\n---\n" + json.dumps(binding))
    try:
        found = shop.run(*APPLY, "--dry-run=server")
        end = time.monotonic() + 30
        while found.code == 0 and time.monotonic() < end:
            time.sleep(0.1)  # a policy takes effect some time after it was written
            found = shop.run(*APPLY, "--dry-run=server")
        line = text.splitlines().index("  route:") + 1
        assert found.code == 3
        assert f"experiment.yaml:{line + 1}:5: error[PIN415]" in found.err
        assert "not on a Friday" in found.err
        assert f"not written: VirtualService {shop.namespace}/checkout" in found.err
        assert shop.live() is None
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            shop.cluster.kubectl("delete", kind, shop.namespace)


def test_rules_that_cannot_be_compared_are_refused(shop: Shop) -> None:
    """Which hashes a rule takes may be more than anybody can write down."""
    foreign(shop)
    live = shop.live()
    live["metadata"].pop("managedFields")
    match = {"match": [{"headers": {"userhash": {"regex": ".*1.{30}"}}}]}
    live["spec"]["http"].insert(0, {**match, **live["spec"]["http"][0]})
    shop.cluster.kubectl("replace", "-f", "-", stdin=json.dumps(live))
    shop.write(("digits: 8", "digits: 40"))
    found = shop.run(*APPLY, "--adopt")
    assert (found.code, "error[PIN416]" in found.err) == (1, True), found.err
    assert shop.run(*APPLY, "--adopt", "--allow-back").code == 0


def test_a_write_is_bound_to_the_diff_that_was_reviewed(shop: Shop) -> None:
    shop.run(*APPLY)
    shop.write(('"101"', '"10"'))
    digest = shop.run(*DIFF).err.rpartition("digest: ")[2].strip()
    shop.write(
        ('"101"', '"100"'), ('version: v2, prefixes: ["100"]', 'version: v2, prefixes: ["10"]')
    )
    assert shop.run(*APPLY, "--expect-digest", digest).code == 0
    shop.write(('"101"', '"1"'), ('"111"', '"0"'))
    other = shop.run(*APPLY, "--expect-digest", digest, "--allow-back")
    assert other.code == 1
    assert "the change is not the one that was reviewed" in other.err


def test_a_dry_run_writes_nothing(shop: Shop) -> None:
    for kind, words in (("client", "dry run"), ("server", "server dry run")):
        found = shop.run(*APPLY, f"--dry-run={kind}")
        assert found.code == 0
        assert found.out == f"virtualservice.networking.istio.io/checkout created ({words})\n"
    assert shop.live() is None


def test_fields_of_other_managers_are_a_conflict(shop: Shop) -> None:
    shop.run(*APPLY)
    live = shop.live()
    live["metadata"].pop("managedFields")
    live["spec"]["http"][0]["timeout"] = "3s"
    shop.cluster.kubectl(
        "replace", "--field-manager", "by-hand", "-f", "-", stdin=json.dumps(live)
    )
    refused = shop.run(*APPLY)
    assert refused.code == 3
    assert "fields are managed by somebody else: .spec.http by by-hand" in refused.err
    assert "--force-conflicts" in refused.err
    assert shop.run(*APPLY, "--force-conflicts").code == 0
    assert "timeout" not in shop.live()["spec"]["http"][0]


def test_only_objects_of_the_experiment_are_pruned(shop: Shop) -> None:
    shop.run(*APPLY)
    foreign(shop, "bystander")
    shop.write(("    hosts:", "    virtualService: {name: renamed}\n    hosts:"))
    assert "-  name: checkout" in shop.run(*DIFF, "--prune").out
    tried = shop.run(*APPLY, "--prune", "--dry-run=server")
    assert "checkout pruned (server dry run)" in tried.out
    assert shop.live() is not None
    found = shop.run(*APPLY, "--prune")
    assert found.code == 0, found.err
    assert found.out == (
        "virtualservice.networking.istio.io/renamed created\n"
        "virtualservice.networking.istio.io/checkout pruned\n"
    )
    assert shop.live() is None
    assert shop.live("bystander") is not None


def test_a_promotion_by_copy_goes_in_phases(shop: Shop) -> None:
    """Its users would meet the old model again until the baseline's place serves the new one."""
    models(shop)
    assert shop.run(*APPLY).code == 0
    for stage in ("promote-v2", "promote-v2-phase-4"):
        found = shop.run(*APPLY, "--stage", stage)
        assert found.code == 1
        assert f"error[PIN268] {stage}: user 1010" in found.err
        assert "has met v2 and would be moved back to v1" in found.err
    assert shop.live()["metadata"]["annotations"]["pinroute.dev/stage"] == "experiment"
    for number in (2, 3, 4, 5):
        step = shop.run(*APPLY, "--stage", f"promote-v2-phase-{number}", "--allow-unready")
        assert step.code == 0, step.err


def test_a_destination_rule_of_somebody_else_is_refused(shop: Shop) -> None:
    shop.write(
        ("{host: app-v1, port: 80}", "{host: app-v1, port: 80, subset: a, labels: {app: a}}")
    )
    shop.create(FOREIGN_RULE.replace("NAMESPACE", shop.namespace))
    found = shop.run(*APPLY)
    assert found.code == 1
    assert f"DestinationRule {shop.namespace}/checkout-app-v1 is not labelled" in found.err
    assert shop.live("checkout-app-v1", "destinationrule")["spec"]["subsets"][0]["name"] == "own"
