"""What limits.py lets through, Envoy takes; what it refuses for Envoy's sake, Envoy refuses."""

import pytest

from pinroute.istio.envoy import clusters, route_configuration
from pinroute.istio.limits import header_value_problem
from pinroute.istio.operators import HEADERS, KEYS, PLAIN, STATES, TIMES, UNCHECKED
from pinroute.local.backend import Backends
from pinroute.local.client import Client, Request
from pinroute.local.server import EnvoyRefused, Listener, running

# Each of them, with an argument where it takes one.
OPERATORS = [
    *(f"%{name}%" for name in sorted(PLAIN | TIMES)),
    *(f"%{name}(%Y-%m-%d %3f)%" for name in sorted(TIMES)),
    *(f"%{name}({argument})%" for name in sorted(HEADERS) for argument in ("x", ":path?x-y")),
    *(f"%{name}({argument})%" for name in sorted(KEYS | STATES) for argument in ("x", "x.y-z")),
    '%UPSTREAM_METADATA(["a", "b"])%',
    "%DYNAMIC_METADATA(a:b)%",
]


def _service(*values: str) -> dict[str, object]:
    names = {f"x-value{number or ''}": value for number, value in enumerate(values)}
    route = {
        "destination": {"host": "a.b.svc.cluster.local", "port": {"number": 80}},
        "headers": {"response": {"set": names}},
    }
    return {"spec": {"hosts": ["example.com"], "http": [{"route": [route]}]}}


def _answer(*values: str) -> tuple[str, ...]:
    configuration = route_configuration([_service(*values)])
    names = clusters(configuration)
    with Backends(names) as backends:
        ends = {name: backends.endpoint(name) for name in names}
        with (
            running([Listener("l", configuration)], ends) as gateway,
            Client(gateway.port("l")) as client,
        ):
            response = client.send([Request("example.com")])[0]
    assert response.status == 200
    return response.headers.get("x-value", ())


def test_envoy_takes_every_operator_that_we_let_through() -> None:
    assert [value for value in OPERATORS if header_value_problem(value) is not None] == []
    _answer(*OPERATORS)


@pytest.mark.parametrize("name", sorted(UNCHECKED))
def test_what_we_do_not_let_through_for_its_argument_envoy_knows(name: str) -> None:
    arguments = {"CEL": "request.path", "COMMON_DURATION": "DS_RX_BEG:DS_RX_END:ms"}
    arguments |= {"METADATA": "ROUTE:a:b", "COALESCE": '{"operators": ["PROTOCOL"]}'}
    value = f"%{name}({arguments[name]})%"
    assert header_value_problem(value) is not None
    _answer(value)


@pytest.mark.parametrize(
    ("value", "shown"), [("100%%", "100%"), ("%%FOO%%", "%FOO%"), ("a b", "a b"), ("ü", "ü")]
)
def test_envoy_shows_what_was_meant(value: str, shown: str) -> None:
    assert header_value_problem(value) is None
    assert _answer(value) == (shown,)


@pytest.mark.parametrize("value", ["%FOO%", "100%", "a%b", "%req(x)%", "%REQ%", "x" * 20_000])
def test_envoy_refuses_what_we_refuse(value: str) -> None:
    assert header_value_problem(value) is not None
    with pytest.raises(EnvoyRefused):
        _answer(value)
