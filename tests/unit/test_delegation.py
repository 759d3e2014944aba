"""What istiod leaves out, or lets in, when it joins a root with its delegates."""

from typing import Any

import pytest

from pinroute.istio.delegation import conflict, delegates_of, joined
from pinroute.istio.resource import VirtualService, virtual_service


def fits(root: dict[str, Any], own: dict[str, Any]) -> bool:
    return conflict(root, own, "outside", "inside") is None


@pytest.mark.parametrize(
    ("root", "own", "fit"),
    [
        ({"prefix": "1"}, {"prefix": "11"}, True),
        ({"prefix": "1"}, {"exact": "11"}, True),
        ({"prefix": "11"}, {"prefix": "1"}, False),
        ({"prefix": "1"}, {"prefix": "0"}, False),
        ({"exact": "1"}, {"exact": "1"}, True),
        ({"exact": "1"}, {"prefix": "1"}, False),
        ({"regex": "1.*"}, {"regex": "1.*"}, False),
        ({"regex": "1.*"}, {"prefix": "11"}, False),
        ({"prefix": "1"}, {"regex": "11.*"}, False),
        ({}, {"prefix": "1"}, False),
        ({"prefix": "1"}, {}, False),
        ({}, {}, False),
        (None, {"prefix": "1"}, True),
        ({"prefix": "1"}, None, True),
    ],
)
def test_texts(root: dict[str, str] | None, own: dict[str, str] | None, fit: bool) -> None:
    around = {} if root is None else {"headers": {"h": root}}
    match = {} if own is None else {"headers": {"h": own}}
    assert fits(around, match) is fit
    assert fits({} if root is None else {"uri": root}, {} if own is None else {"uri": own}) is fit


@pytest.mark.parametrize(
    ("root", "own", "fit"),
    [
        ({"ignoreUriCase": True}, {}, False),
        ({"ignoreUriCase": True}, {"ignoreUriCase": True}, True),
        ({"port": 80}, {"port": 81}, False),
        ({"port": 80}, {}, True),
        ({"sourceNamespace": "a"}, {}, False),
        ({}, {"sourceNamespace": "a"}, True),
        ({"sourceLabels": {"a": "b"}}, {"sourceLabels": {"a": "c"}}, False),
        ({"sourceLabels": {"a": "b"}}, {"sourceLabels": {"d": "c"}}, True),
        ({"gateways": ["a/b", "mesh"]}, {"gateways": ["mesh"]}, True),
        ({"gateways": ["mesh"]}, {"gateways": ["a/b"]}, False),
        ({"gateways": ["gw"]}, {"gateways": ["gw"]}, False),
        ({"gateways": ["gw"]}, {"gateways": ["outside/gw"]}, True),
    ],
)
def test_places(root: dict[str, Any], own: dict[str, Any], fit: bool) -> None:
    assert fits(root, own) is fit


def _service(number: int, name: str, spec: dict[str, Any]) -> VirtualService:
    return virtual_service(number, {"metadata": {"name": name, "namespace": "ns"}, "spec": spec})


def test_one_match_that_fits_nowhere_drops_the_whole_rule() -> None:
    root = _service(
        0,
        "root",
        {
            "hosts": ["a.com"],
            "http": [
                {"match": [{"uri": {"prefix": "/a"}}], "delegate": {"name": "inner"}},
                {"delegate": {"name": "nobody"}},
            ],
        },
    )
    inner = _service(
        1,
        "inner",
        {
            "http": [
                {
                    "name": "half",
                    "match": [{"uri": {"prefix": "/a/b"}}, {"uri": {"prefix": "/x"}}],
                },
                {"name": "whole"},
            ]
        },
    )
    found = joined(root, delegates_of([root, inner]))
    assert [rule.name for rule in found.rules] == ["whole"]
    assert [item.residual for item in found.rules[0].items] == [{"uri": {"prefix": "/a"}}]
    reasons = [dropped.reason for dropped in found.dropped]
    assert reasons == [
        "uri: '/x' does not begin with the root's '/a'",
        "there is no delegate ns/nobody",
    ]


def test_what_the_delegate_does_not_say_the_root_gives() -> None:
    rule = {"delegate": {"name": "inner"}, "timeout": "1s", "headers": {"request": {}}}
    root = _service(0, "root", {"hosts": ["a.com"], "http": [{"name": "r", **rule}]})
    inner = _service(1, "inner", {"http": [{"name": "i", "timeout": "2s"}]})
    (merged,) = joined(root, delegates_of([inner])).rules
    assert merged.name == "r-i"
    assert merged.fields["timeout"] == "2s"
    assert merged.fields["headers"] == {"request": {}}
    assert "delegate" not in merged.fields
