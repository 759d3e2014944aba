"""What limits.py lets through, Envoy takes; what it refuses for Envoy's sake, Envoy refuses."""

import pytest

from pinroute.istio.envoy import clusters, route_configuration
from pinroute.istio.limits import OPERATORS, header_value_problem
from pinroute.local.backend import Backends
from pinroute.local.client import Client, Request
from pinroute.local.server import EnvoyRefused, Listener, running

ARGUMENTS = {
    "REQ": "userhash",
    "RESP": "server",
    "TRAILER": "x",
    "DYNAMIC_METADATA": "a:b",
    "PER_REQUEST_STATE": "x",
    "UPSTREAM_METADATA": '["a", "b"]',
}


def _service(value: str) -> dict[str, object]:
    route = {
        "destination": {"host": "a.b.svc.cluster.local", "port": {"number": 80}},
        "headers": {"response": {"set": {"x-value": value}}},
    }
    return {"spec": {"hosts": ["example.com"], "http": [{"route": [route]}]}}


def _answer(value: str) -> tuple[str, ...]:
    configuration = route_configuration([_service(value)])
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


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_envoy_takes_every_operator_that_we_let_through(operator: str) -> None:
    argument = ARGUMENTS.get(operator)
    value = f"%{operator}({argument})%" if argument else f"%{operator}%"
    assert header_value_problem(value) is None
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
