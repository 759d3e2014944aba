"""A request for each match that lives, and none for one that does not."""

from typing import Any

import pytest

from pinroute.istio.evaluate import Call
from pinroute.istio.read import read_rules
from pinroute.istio.witness import witness

BASE = Call("a.com")


def found(*matches: dict[str, Any]) -> Call | None:
    service = {"spec": {"http": [{"match": [match]} for match in matches]}}
    items = [item for rule in read_rules(service, "userhash") for item in rule.items]
    return witness(items, len(items) - 1, BASE)


def prefix(text: str) -> dict[str, Any]:
    return {"headers": {"userhash": {"prefix": text}}}


@pytest.mark.parametrize(
    "matches",
    [
        [prefix("1")],
        [prefix("10"), prefix("11"), prefix("1")],
        [prefix("1"), {}],
        [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/"}}],
        [{"method": {"exact": "GET"}}, {"method": {"exact": "POST"}}, {}],
        [{"withoutHeaders": {"x": {}}}, {}],
        [{"withoutHeaders": {"userhash": {"prefix": "1"}}}, prefix("11")],
        [{"uri": {"regex": "/v[0-9]+/x"}}],
        [{"queryParams": {"q": {"exact": "1"}}}],
        [{"authority": {"prefix": "b."}}],
        [{"sourceNamespace": "web", "sourceLabels": {"app": "a"}, "port": 8080}],
    ],
)
def test_what_lives_is_shown(matches: list[dict[str, Any]]) -> None:
    assert found(*matches) is not None


@pytest.mark.parametrize(
    "matches",
    [
        [prefix("1"), prefix("11")],
        [{}, prefix("1")],
        [{"headers": {"x": {"exact": "1"}}, "withoutHeaders": {"x": {"prefix": "1"}}}],
    ],
)
def test_what_does_not_is_not(matches: list[dict[str, Any]]) -> None:
    assert found(*matches) is None


def test_the_plainest_request_comes_first() -> None:
    call = found(prefix("1"), {})
    assert call == BASE
