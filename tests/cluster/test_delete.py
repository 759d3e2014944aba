"""delete on a real API server: the end is routing to the baseline, never a 404."""

import pytest

from .conftest import Shop

APPLY = ("apply", "-f", "experiment.yaml")
DELETE = ("delete", "-f", "experiment.yaml")
OTHER = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: other, namespace: NAMESPACE}
spec:
  hosts: ["*.example.com"]
  gateways: [istio-system/public]
  http: [{route: [{destination: {host: app-v1, port: {number: 80}}}]}]
"""


def test_the_only_route_of_a_host_stays(shop: Shop) -> None:
    shop.run(*APPLY)
    before = shop.live()
    found = shop.run(*DELETE)
    assert found.code == 0
    assert found.out == "virtualservice.networking.istio.io/checkout configured\n"
    assert "12.5000% of the users move; 12.5000% go back" in found.err
    assert f"nobody else serves {shop.namespace}.example.com" in found.err
    live = shop.live()
    assert live["metadata"]["uid"] == before["metadata"]["uid"]
    assert live["metadata"]["annotations"]["pinroute.dev/stage"] == "done"
    (rule,) = live["spec"]["http"]
    assert rule["route"][0]["destination"]["host"].startswith("app-v1.")
    assert shop.run(*DELETE).code == 0


def test_it_goes_where_somebody_else_serves_the_host(shop: Shop) -> None:
    shop.run(*APPLY)
    shop.create(OTHER.replace("NAMESPACE", shop.namespace))
    found = shop.run(*DELETE)
    assert found.code == 0
    assert found.out == (
        "virtualservice.networking.istio.io/checkout configured\n"
        "virtualservice.networking.istio.io/checkout deleted\n"
    )
    assert f"its hosts are served by VirtualService {shop.namespace}/other" in found.err
    assert (shop.live(), shop.live("other") is None) == (None, False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http: [{route", "http: [{match: [{uri: {prefix: /v1}}], route"),
        ("gateways: [istio-system/public]", "exportTo: [.]\n  gateways: [istio-system/public]"),
    ],
    ids=["some requests only", "hidden from the gateway"],
)
def test_it_stays_where_others_do_not_take_everything(shop: Shop, old: str, new: str) -> None:
    shop.run(*APPLY)
    assert old in OTHER
    shop.create(OTHER.replace(old, new).replace("NAMESPACE", shop.namespace))
    found = shop.run(*DELETE)
    assert found.code == 0
    assert f"nobody else serves {shop.namespace}.example.com" in found.err
    assert shop.live() is not None


def test_what_is_of_somebody_else_stays(shop: Shop) -> None:
    subset = ("{host: app-v1, port: 80}", "{host: app-v1, port: 80, subset: a, labels: {app: a}}")
    shop.write(subset)
    shop.run(*APPLY)
    patch = '{"metadata": {"labels": {"pinroute.dev/experiment": "other"}}}'
    rule = ("destinationrule", "checkout-app-v1", "-n", shop.namespace)
    shop.cluster.kubectl("patch", *rule, "--type", "merge", "-p", patch)
    found = shop.run(*DELETE, "--with-routes", "--force-conflicts")
    assert (found.code, "error[PIN403]" in found.err) == (1, True)
    shop.cluster.kubectl("delete", *rule)
    gone = shop.run(*DELETE, "--with-routes", "--dry-run=client")
    assert "destinationrule.networking.istio.io/checkout-app-v1 deleted" not in gone.out


def test_it_goes_with_its_routes_when_that_is_said(shop: Shop) -> None:
    shop.run(*APPLY)
    tried = shop.run(*DELETE, "--with-routes", "--dry-run=server")
    assert "checkout deleted (server dry run)" in tried.out
    assert shop.live()["metadata"]["annotations"]["pinroute.dev/stage"] == "experiment"
    found = shop.run(*DELETE, "--with-routes")
    assert (found.code, shop.live()) == (0, None)


def test_in_the_mesh_the_service_itself_takes_over(shop: Shop) -> None:
    shop.write(
        (
            "    hosts: [NAMESPACE.example.com]\n    gateways: [istio-system/public]\n",
            "    hosts: [app-v1]\n",
        )
    )
    shop.run(*APPLY)
    found = shop.run(*DELETE)
    assert found.code == 0
    assert (
        f"its hosts are served by Service app-v1.{shop.namespace}.svc.cluster.local" in found.err
    )
    assert shop.live() is None


def test_subsets_go_after_the_route_that_names_them(shop: Shop) -> None:
    shop.write(
        ("{host: app-v1, port: 80}", "{host: app-v1, port: 80, subset: a, labels: {app: a}}"),
        ("{host: app-v2, port: 80}", "{host: app-v1, port: 80, subset: b, labels: {app: b}}"),
    )
    assert shop.run(*APPLY).out.splitlines() == [
        "destinationrule.networking.istio.io/checkout-app-v1 created",
        "virtualservice.networking.istio.io/checkout created",
    ]
    found = shop.run(*DELETE, "--with-routes")
    assert found.out.splitlines()[-2:] == [
        "virtualservice.networking.istio.io/checkout deleted",
        "destinationrule.networking.istio.io/checkout-app-v1 deleted",
    ]


def test_an_experiment_that_is_not_there(shop: Shop) -> None:
    found = shop.run(*DELETE)
    assert (found.code, found.out) == (1, "")
    assert found.err == f"not found: VirtualService {shop.namespace}/checkout\n"
    assert shop.run(*DELETE, "--ignore-not-found").code == 0
    assert shop.live() is None


def test_what_is_not_ours_is_not_deleted(shop: Shop) -> None:
    shop.create(
        OTHER.replace("NAMESPACE", shop.namespace).replace("name: other", "name: checkout")
    )
    found = shop.run(*DELETE, "--with-routes")
    assert (found.code, "error[PIN401]" in found.err) == (1, True)
    assert shop.live() is not None
