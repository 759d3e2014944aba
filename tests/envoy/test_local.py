"""The local gateway itself: real Envoy, real sockets."""

import json
import socketserver
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from pinroute.local.backend import Backends, Endpoint
from pinroute.local.binary import EnvoyFailed, EnvoyMissing, envoy_binary, envoy_version
from pinroute.local.client import Client, Request, Response
from pinroute.local.jwt import JwtProvider, token
from pinroute.local.server import EnvoyRefused, Gateway, Listener, running

A, B, C = "outbound|80||a.test", "outbound|80||b.test", "outbound|80||c.test"
PROVIDER = JwtProvider("https://issuer.test", b"a secret that everybody may know")


def route(cluster: str, version: str, **match: object) -> dict[str, object]:
    return {
        "match": {"prefix": "/", **match},
        "route": {"cluster": cluster},
        "response_headers_to_add": [{"header": {"key": "version", "value": version}}],
    }


def routes(*rules: Mapping[str, object], domain: str = "*") -> dict[str, object]:
    return {"virtual_hosts": [{"name": "host", "domains": [domain], "routes": rules}]}


def on_header(cluster: str, version: str, **string: str) -> dict[str, object]:
    return route(cluster, version, headers=[{"name": "userhash", "string_match": string}])


def on_claim(cluster: str, version: str, prefix: str) -> dict[str, object]:
    claim = {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{"key": "payload"}, {"key": "userhash"}],
        "value": {"string_match": {"prefix": prefix}},
    }
    return route(cluster, version, dynamic_metadata=[claim])


LISTENERS = (
    Listener("prefix", routes(on_header(B, "b", prefix="101"), route(A, "a"))),
    Listener(
        "three",
        routes(on_header(A, "1", prefix="111"), on_header(B, "2", prefix="101"), route(C, "3")),
    ),
    Listener(
        "exact",
        routes(
            on_header(A, "one", exact="111"),
            on_header(B, "both", exact="111,111"),
            on_header(B, "empty", exact=""),
            route(C, "none"),
        ),
    ),
    Listener("named", routes(route(A, "a"), domain="flowers.test")),
    Listener("claim", routes(on_claim(B, "b", "101"), route(A, "a")), PROVIDER),
)


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, Endpoint]]:
    with Backends(["a", "b", "c"]) as backends:
        yield {A: backends.endpoint("a"), B: backends.endpoint("b"), C: backends.endpoint("c")}


@pytest.fixture(scope="module")
def gateway(clusters: dict[str, Endpoint]) -> Iterator[Gateway]:
    with running(LISTENERS, clusters) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def joining(clusters: dict[str, Endpoint]) -> Iterator[Gateway]:
    with running(LISTENERS, clusters, joined=True) as gateway:
        yield gateway


def get(*hashes: str) -> Request:
    return Request("flowers.test", headers=tuple(("UserHash", value) for value in hashes))


def versions(gateway: Gateway, listener: str, *requests: Request) -> list[str]:
    with Client(gateway.port(listener)) as client:
        return [response.headers["version"][0] for response in client.send(requests)]


def echo(response: Response) -> dict[str, object]:
    value = json.loads(response.body)
    assert isinstance(value, dict)
    return value


def test_every_hash_meets_its_version(gateway: Gateway) -> None:
    hashes = [f"{number:010b}" for number in range(1024)]
    with Client(gateway.port("prefix")) as client:
        responses = client.send([get(value) for value in hashes])
    for value, response in zip(hashes, responses, strict=True):
        expected = "b" if value.startswith("101") else "a"
        assert response.status == 200
        assert response.headers["version"] == (expected,)
        assert echo(response)["backend"] == expected


def test_the_backend_tells_what_it_received(gateway: Gateway) -> None:
    headers = (("X-Twice", "b"), ("x_under", "é\udcff"), ("x-twice", ""), ("X-Twice", " a "))
    request = Request("flowers.test:80", "//v1/../v1/models?q=1", "POST", headers)
    with Client(gateway.port("prefix")) as client:
        heard = echo(client.send([request])[0])
    received = heard.pop("headers")
    assert heard == {
        "backend": "a",
        "host": "flowers.test:80",
        "method": "POST",
        "path": "/v1/models?q=1",
    }
    assert isinstance(received, dict)
    assert received["x-twice"] == ["b", "", "a"]
    assert received["x_under"] == ["é\udcff"]


@pytest.mark.parametrize(
    ("listener", "values", "individually", "joined"),
    [
        ("prefix", [], "a", "a"),
        ("prefix", [""], "a", "a"),
        ("prefix", ["10"], "a", "a"),
        ("prefix", ["101garbage"], "b", "b"),
        ("three", ["000", "111"], "1", "3"),
        ("three", ["111", "000"], "1", "1"),
        ("three", ["101", "111"], "1", "2"),
        ("three", ["", "111"], "1", "3"),
        ("three", ["111,000"], "1", "1"),
        ("three", ["1", "11"], "3", "3"),
        ("exact", ["111", "111"], "one", "both"),
        ("exact", [], "none", "none"),
        ("exact", [""], "empty", "empty"),
        ("exact", ["  "], "empty", "empty"),
        ("exact", ["", "1"], "empty", "none"),
    ],
)
def test_repeated_absent_and_empty_headers(
    gateway: Gateway,
    joining: Gateway,
    listener: str,
    values: list[str],
    individually: str,
    joined: str,
) -> None:
    assert versions(gateway, listener, get(*values)) == [individually]
    assert versions(joining, listener, get(*values)) == [joined]


def test_claims_route_as_in_istio(gateway: Gateway) -> None:
    def bearer(signed: str) -> Request:
        return Request("flowers.test", headers=(("authorization", f"Bearer {signed}"),))

    requests = [
        bearer(token(PROVIDER, {"userhash": "1010000000"})),
        bearer(token(PROVIDER, {"userhash": "0101010101"})),
        bearer(token(PROVIDER, {"sub": "somebody"})),
        get("1010000000"),
    ]
    assert versions(gateway, "claim", *requests) == ["b", "a", "a", "a"]
    forged = token(JwtProvider(PROVIDER.issuer, b"another"), {"userhash": "101"})
    foreign = token(PROVIDER, {"iss": "https://other.test", "userhash": "101"})
    with Client(gateway.port("claim")) as client:
        refused = client.send([bearer(forged), bearer(foreign), bearer("no.token.at-all")])
        forwarded = echo(client.send(requests[:1])[0])["headers"]
    assert [response.status for response in refused] == [401, 401, 401]
    assert isinstance(forwarded, dict)
    assert forwarded["authorization"] == [requests[0].headers[0][1]]


def test_a_secret_is_not_printed() -> None:
    assert "everybody" not in repr(LISTENERS)


def test_answers_stay_in_order_when_the_connection_breaks(gateway: Gateway) -> None:
    bad = Request("flowers.test", headers=(("not a name", "x"),))
    head = Request("flowers.test", method="HEAD")
    with Client(gateway.port("prefix")) as client:
        responses = client.send([get("101"), bad, head, get("0")] * 50)
    assert [response.status for response in responses] == [200, 400, 200, 200] * 50
    assert [response.headers.get("version") for response in responses[:4]] == [
        *(("b",), None),
        *(("a",), ("a",)),
    ]
    assert not responses[2].body


def test_answers_of_envoy_itself_are_as_fast(gateway: Gateway) -> None:
    nowhere = Request("nowhere.test")
    started = time.monotonic()
    with Client(gateway.port("named")) as client:
        responses = client.send([nowhere, get("1")] * 200)
    assert [response.status for response in responses] == [404, 200] * 200
    assert time.monotonic() - started < 5


class OneAnswer(socketserver.StreamRequestHandler):
    """Hangs up after the first answer, without having said so."""

    reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\na: b\r\n\r\n"

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.reply)


class NoAnswer(OneAnswer):
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nh"


@contextmanager
def serving(handler: type[OneAnswer]) -> Iterator[int]:
    with socketserver.TCPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_connection_that_ended_meanwhile_is_replaced() -> None:
    with serving(OneAnswer) as port, Client(port) as client:
        responses = [client.send([get()])[0], *client.send([get()] * 20)]
    assert [response.body for response in responses] == [b"hi"] * 21


def test_half_an_answer_is_none() -> None:
    with (
        serving(NoAnswer) as port,
        Client(port) as client,
        pytest.raises(ConnectionError, match="no answer"),
    ):
        client.send([get()] * 20)


def test_large_messages_in_both_directions_do_not_block(gateway: Gateway) -> None:
    large = Request("flowers.test", headers=(("x-large", "x" * 100_000),))
    with Client(gateway.port("prefix")) as client:
        responses = client.send([large] * 100)
    assert all(len(response.body) > 100_000 for response in responses)


@pytest.mark.parametrize(
    "request_",
    [
        get("1\r\nx: y"),
        get("\0"),
        Request("a\n"),
        Request("a", "/a b"),
        Request("a", ""),
    ],
)
def test_what_cannot_be_sent_is_not_sent(gateway: Gateway, request_: Request) -> None:
    with Client(gateway.port("prefix")) as client, pytest.raises(ValueError, match="Request"):
        client.send([get(), request_])


def test_stats_are_read_by_pattern(gateway: Gateway) -> None:
    name = "http.exact.downstream_rq_total"
    before = gateway.stats(r"^http\.exact\.downstream_rq_total$")
    versions(gateway, "exact", *[get("1")] * 7)
    assert list(before) == [name]
    assert gateway.stats(r"^http\.exact\.downstream_rq_total$")[name] == before[name] + 7
    assert len(gateway.stats("")) > 100


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (route(A, "%FOO%"), "Not supported field in StreamInfo: FOO"),
        (route("outbound|80||nowhere.test", "x"), "unknown cluster 'outbound|80||nowhere.test'"),
        (route(A, "x", unknown=1), "no such field: 'unknown'"),
        (
            route(A, "x", headers=[{"name": ""}]),
            "HeaderMatcherValidationError.Name: value length must be at least 1 characters",
        ),
    ],
)
def test_a_refusal_is_told_in_envoys_words(
    clusters: dict[str, Endpoint], rule: Mapping[str, object], reason: str
) -> None:
    with (
        pytest.raises(EnvoyRefused) as refused,
        running([Listener("refused", routes(rule))], clusters),
    ):
        pytest.fail("Envoy took it")
    assert reason in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert "envoy.json" not in str(refused.value)


def test_istios_limit_for_regular_expressions_holds(clusters: dict[str, Endpoint]) -> None:
    regex = {"safe_regex": {"regex": "[01]{1000}|[a-z]{500}"}}
    rule = route(B, "b", headers=[{"name": "userhash", "string_match": regex}])
    with running([Listener("regex", routes(rule, route(A, "a")))], clusters) as gateway:
        assert versions(gateway, "regex", get("01" * 500), get("01")) == ["b", "a"]


@pytest.mark.parametrize("end", [None, KeyboardInterrupt, ValueError])
def test_nothing_is_left_behind(
    clusters: dict[str, Endpoint],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: type[BaseException] | None,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ports: list[int] = []

    def interrupted() -> None:
        with running(LISTENERS, clusters) as gateway:
            ports.extend([gateway.admin, *gateway.ports.values()])
            assert list(tmp_path.iterdir())
            if end is not None:
                raise end

    started = time.monotonic()
    if end is None:
        interrupted()
    else:
        with pytest.raises(end):
            interrupted()
    assert time.monotonic() - started < 5
    assert list(tmp_path.iterdir()) == []
    assert len(ports) == 1 + len(LISTENERS)
    for port in ports:
        with pytest.raises(ConnectionRefusedError), Client(port) as client:
            client.send([get()])


def test_listeners_need_different_names(clusters: dict[str, Endpoint]) -> None:
    with (
        pytest.raises(ValueError, match="different names: prefix, prefix"),
        running([LISTENERS[0], LISTENERS[0]], clusters),
    ):
        pytest.fail("it started")


def test_the_binary_tells_its_version() -> None:
    major, minor, _ = envoy_version(envoy_binary()).split(".")
    assert (int(major), int(minor)) >= (1, 39)


def test_a_named_binary_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "my-envoy"
    named.symlink_to(envoy_binary())
    monkeypatch.setenv("PINROUTE_ENVOY", str(named))
    assert envoy_binary() == named


def test_a_missing_binary_is_told_in_one_line(
    clusters: dict[str, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINROUTE_ENVOY", str(tmp_path / "none"))
    with pytest.raises(EnvoyMissing) as missing, running(LISTENERS, clusters):
        pytest.fail("it started")
    message = str(missing.value)
    assert len(message.splitlines()) == 1
    for part in ("none", "pinroute[try]", "x86_64", "aarch64", "2.31", "PINROUTE_ENVOY"):
        assert part in message


def test_a_binary_that_is_no_envoy_fails(
    clusters: dict[str, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = tmp_path / "envoy"
    impostor.write_text("#!/bin/sh\necho 'I am none' >&2\nexit 3\n")
    impostor.chmod(0o755)
    monkeypatch.setenv("PINROUTE_ENVOY", str(impostor))
    with (
        pytest.raises(EnvoyFailed, match=r"code 3 .*I am none"),
        running(LISTENERS, clusters),
    ):
        pytest.fail("it started")
    with pytest.raises(EnvoyFailed, match="I am none"):
        envoy_version(impostor)
