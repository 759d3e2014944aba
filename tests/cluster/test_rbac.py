"""rbac on a real API server: with just these rights each use works, with one less it says which."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pinroute.cluster.rights import KFSERVING, KSERVE, USES, rights_of

from .inference import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.access import Access

    from .conftest import Shop

ACCOUNTS = itertools.count(1)
SUBSETS = (
    ("{host: app-v1, port: 80}", "{host: app-v1, port: 80, subset: one, labels: {version: v1}}"),
)
CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "status": (
        ("status", "experiment.yaml"),
        ("status", "-n", "NAMESPACE", "-w", "--timeout", "1s"),
    ),
    "verify": (("verify", "-f", "experiment.yaml", "--against", "cluster"),),
    "diff": (("diff", "-f", "experiment.yaml"),),
    "apply": (("apply", "-f", "experiment.yaml"),),
    "prune": (("apply", "-f", "experiment.yaml", "--prune"),),
    "delete": (("delete", "-f", "experiment.yaml", "--with-routes"),),
    "promote": (
        (
            "apply",
            "-f",
            "experiment.yaml",
            "--stage",
            "promote-v2",
            "--allow-unready",
            "--allow-back",
        ),
    ),
}


def printed(shop: Shop, use: str, *words: str) -> list[Any]:
    found = shop.run("rbac", "--for", use, *words)
    assert (found.code, found.err) == (0, "")
    assert "secrets" not in found.out
    return list(yaml.safe_load_all(found.out))


def rules(shop: Shop, use: str) -> list[dict[str, list[str]]]:
    """Return the rules of the one Role that is printed without a spec."""
    [role] = printed(shop, use, "-n", shop.namespace)
    assert role["metadata"]["namespace"] == shop.namespace
    found: list[dict[str, list[str]]] = role["rules"]
    return found


def user(shop: Shop, given: list[dict[str, list[str]]]) -> Access:
    return shop.cluster.user(f"user-{next(ACCOUNTS)}", shop.namespace, given)


def without(given: list[dict[str, list[str]]], group: str, resource: str, verb: str) -> Any:
    """Return rules that lack one right."""
    left = []
    for rule in given:
        if (rule["apiGroups"], rule["resources"]) == ([group], [resource]):
            rule = {**rule, "verbs": [one for one in rule["verbs"] if one != verb]}
        left += [rule] if rule["verbs"] else []
    assert left != given
    return left


def single(use: str, *, needed: bool) -> Iterator[tuple[str, str, str, str]]:
    for right in rights_of(use):
        for verb in right.verbs:
            if right.needed == needed:
                yield use, right.group, right.resource, verb


def prepare(shop: Shop, use: str) -> None:
    """Write what brings a use to each of its rights: subsets, and a change that is due."""
    if use == "promote":
        models(shop)
    else:
        shop.write(*SUBSETS)
    if use in ("status", "verify", "delete"):
        assert shop.run("apply", "-f", "experiment.yaml", "--allow-unready").code == 0
    if use == "prune":
        before = ("    hosts:", "    virtualService: {name: before}\n    hosts:")
        shop.write((SUBSETS[0][0], SUBSETS[0][1].replace("app-v1", "app-v2")), before)
        assert shop.run("apply", "-f", "experiment.yaml", "--allow-unready").code == 0
        shop.write(*SUBSETS)


OPTIONAL = [
    one
    for use in ("status", "apply")
    for one in single(use, needed=False)
    if one[2] != "inferenceservices"
]


def run(shop: Shop, use: str, as_: Access) -> Iterator[Any]:
    for words in CALLS[use]:
        named = [word.replace("NAMESPACE", shop.namespace) for word in words]
        yield shop.run(*named, as_=as_)


@pytest.mark.parametrize("use", CALLS)
def test_the_rights_are_enough(shop: Shop, use: str) -> None:
    prepare(shop, use)
    for found in run(shop, use, user(shop, rules(shop, use))):
        assert found.code == (1 if use == "diff" else 0), found.err
        assert "Error" not in found.err


NEEDED = [
    one
    for use in CALLS
    for one in single(use, needed=True)
    # A promotion is an apply that writes InferenceServices too; here they are KServe's.
    if one[1] == KSERVE or (use != "promote" and one[1] != KFSERVING)
]


@pytest.mark.parametrize(("use", "group", "resource", "verb"), NEEDED)
def test_one_right_less_is_named(
    shop: Shop, use: str, group: str, resource: str, verb: str
) -> None:
    prepare(shop, use)
    less = user(shop, without(rules(shop, use), group, resource, verb))
    said = [found for found in run(shop, use, less) if found.code != 0]
    assert said, "nothing needs this right"
    assert all(found.code in (1, 3) for found in said)
    missing = f"may not {verb} {resource}.{group}"
    assert any(missing in found.err for found in said), said[0].err


@pytest.mark.parametrize(("use", "group", "resource", "verb"), OPTIONAL)
def test_what_is_not_needed_is_said_and_the_rest_goes_on(
    shop: Shop, use: str, group: str, resource: str, verb: str
) -> None:
    prepare(shop, use)
    less = user(shop, without(rules(shop, use), group, resource, verb))
    found = list(run(shop, use, less))
    assert all(one.code == 0 for one in found), found[0].err
    assert f"may not {verb} {resource}" in found[0].err


@pytest.mark.parametrize("use", USES)
def test_a_spec_makes_a_role_in_each_namespace(shop: Shop, use: str) -> None:
    text = printed(shop, use, "-f", "experiment.yaml", "--serviceaccount", f"{shop.namespace}:bot")
    assert {one["kind"] for one in text} == {"Role", "RoleBinding"}
    for one in text:
        if one["kind"] == "RoleBinding":
            assert one["subjects"][0]["namespace"] == shop.namespace
    names = {
        name
        for one in text
        for rule in one.get("rules", ())
        if rule["resources"] == ["virtualservices"]
        for name in rule.get("resourceNames", ())
    }
    assert names == {"checkout"}


def test_with_the_roles_of_a_spec_all_is_seen(shop: Shop) -> None:
    """Also the Gateway, which is in a namespace of its own, and other VirtualServices."""
    as_ = user(shop, [])
    account = f"{shop.namespace}:{as_.kubeconfig.name.split('.')[1]}"
    words = ("--for", "apply", "--for", "prune", "-f", "experiment.yaml")
    limited = shop.run("apply", "-f", "experiment.yaml", as_=as_)
    assert limited.code == 3
    assert "may not get virtualservices.networking.istio.io" in limited.err
    named = ("--name", f"roles-{shop.namespace}", "--serviceaccount", account, "--cluster-wide")
    roles = shop.run("rbac", *words, *named)
    assert roles.code == 0, roles.err
    shop.create(roles.out)
    found = shop.run("apply", "-f", "experiment.yaml", "--prune", as_=as_)
    assert (found.code, found.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--user", "a", "--group", "b"), "name one of them"),
        (("--serviceaccount", "bot"), "write NAMESPACE:NAME"),
        (("-f", "experiment.yaml", "-n", "x"), "a spec names its namespaces"),
        (("--for", "everything"), "is not one of"),
    ],
)
def test_options_that_make_no_sense(shop: Shop, words: tuple[str, ...], said: str) -> None:
    found = shop.run("rbac", *words)
    assert found.code == 2
    assert said in found.err
