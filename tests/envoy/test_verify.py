"""`pinroute verify --against envoy | URL`: real Envoys, right and wrong ones, and what is none."""

import asyncio
import json
import os
import signal
import socketserver
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
import yaml
from jsonschema import Draft202012Validator

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.istio.envoy import clusters, route_configuration
from pinroute.local.backend import Endpoint
from pinroute.local.server import Gateway, Listener, running
from pinroute.local.trial import gateway_for
from pinroute.spec.schema import load_schema

ROOT = Path(__file__).parents[2]
SPEC = "samples/plain-services.yaml"
HOST = "shop.example.com"
REQUESTS = 38

Json = dict[str, Any]


def compiled(file: str) -> Compiled:
    path = ROOT / file
    source = Source(path.name, path.read_bytes(), lambda name: (path.parent / name).read_bytes())
    return compile_specs([source]).experiments[0]


def changed(change: Callable[[Json], None]) -> Compiled:
    """Return the compiled spec with a VirtualService that somebody has edited."""
    one = compiled(SPEC)
    rendered = one.rendered[0]
    service = json.loads(json.dumps(rendered.virtual_service))
    change(service["spec"])
    return one._replace(rendered=(rendered._replace(objects=(service,)),))


def shift(spec: Json) -> None:
    spec["http"][1]["match"][0]["headers"]["x-user-hash"] = {"prefix": "011"}


def lose_default(spec: Json) -> None:
    del spec["http"][-1]


def lose_host(spec: Json) -> None:
    spec["hosts"] = ["elsewhere.example.com"]


def rename_header(spec: Json) -> None:
    for rule in spec["http"]:
        response = rule["route"][0]["headers"]["response"]
        response["set"] = {"x-version": response["set"]["version"]}


def swap_names(spec: Json) -> None:
    spec["http"][0]["route"][0]["headers"]["response"]["set"]["version"] = "checkout-v0"


GATEWAYS = {
    "right": compiled(SPEC),
    "shifted": changed(shift),
    "no default": changed(lose_default),
    "no host": changed(lose_host),
    "no version": changed(rename_header),
    "another name": changed(swap_names),
    "paths": compiled("samples/paths.yaml"),
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with gateway_for(GATEWAYS) as found:
        yield found


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "pinroute", "verify", *words]


def verify(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


def at(port: int, *words: str, spec: str = SPEC, rate: str = "0") -> tuple[int, Json, str]:
    """Verify against a port of this machine; return exit code, JSON and stderr."""
    url = f"http://127.0.0.1:{port}"
    done = verify("-f", spec, "--against", url, "--rate", rate, "-o", "json", *words)
    shown: Json = json.loads(done.stdout)
    Draft202012Validator(load_schema("cli/verification")).validate(shown)
    return done.returncode, shown, done.stderr


def kinds(shown: Json) -> list[tuple[str, str, int]]:
    return [
        (
            item["promised"]["version"],
            item["found"]["version"] or item["found"]["destination"],
            item["requests"],
        )
        for item in shown["differences"]
    ]


# --- a local Envoy --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain-services", "paths", "jwt-claim", "ramp", "delegate"])
def test_a_local_envoy_does_what_a_sample_promises(name: str) -> None:
    done = verify("-f", f"samples/{name}.yaml", "--against", "envoy", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(done.stdout)
    Draft202012Validator(load_schema("cli/verification")).validate(shown)
    assert shown["against"] == "envoy"
    assert shown["compared"] == ["destination", "host", "version"]
    assert shown["requests"] == sum(shown["sent"].values()) > 10
    assert shown["differences"] == shown["unanswered"] == shown["unsent"] == []


def test_a_local_envoy_shows_destination_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    from pinroute.cli import surveying

    def misroute(spec: Json) -> None:
        spec["http"][0]["route"][0]["destination"]["host"] = "elsewhere.shop.svc.cluster.local"

    wrong = changed(misroute)
    shown: list[str] = []
    monkeypatch.setattr(surveying, "out", shown.append)
    none = surveying.GatewayOptions(*(None,) * 4, (), None, False, None, False)
    assert surveying.against_envoy(wrong, none, "text") == 1
    assert "checkout-v1 (elsewhere.shop.svc.cluster.local, Host shop.example.com)" in shown[0]


def test_without_envoy_there_is_one_clear_line(tmp_path: Path) -> None:
    done = verify("-f", SPEC, "--against", "envoy", PINROUTE_ENVOY=str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "pinroute[try]" in done.stderr


# --- a live gateway, right and wrong --------------------------------------------------------


def test_a_right_gateway(gateway: Gateway) -> None:
    code, shown, said = at(gateway.port("right"))
    assert code == 0, shown
    assert shown["against"] == "gateway"
    assert shown["compared"] == ["version"]
    assert shown["sent"] == {"blocks": 3, "edges": 6, "oddHeaders": 29}
    assert shown["requests"] == REQUESTS
    assert f"sending {REQUESTS} requests (GET) to http://127.0.0.1:" in said
    assert f"as {HOST}, as fast as it answers" in said


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("shifted", [("checkout-v2", "checkout-v1", 8)]),
        ("no default", [("checkout-v1", "404", 13)]),
        ("no host", [("checkout-v1", "404", 27), ("checkout-v2", "404", 11)]),
        (
            "no version",
            [
                ("checkout-v1", "no version, status 200", 27),
                ("checkout-v2", "no version, status 200", 11),
            ],
        ),
        ("another name", [("checkout-v1", "checkout-v0", 14)]),
    ],
)
def test_a_wrong_gateway(gateway: Gateway, name: str, found: list[tuple[str, str, int]]) -> None:
    code, shown, _ = at(gateway.port(name))
    assert code == 1
    assert kinds(shown) == found
    assert shown["unanswered"] == []


def test_the_first_witness_is_a_hash_of_the_group_that_is_hit(gateway: Gateway) -> None:
    _, shown, _ = at(gateway.port("shifted"))
    [item] = shown["differences"]
    assert (item["group"], item["who"], item["value"]) == ("treatment", "edge", "0100000000")


def test_text_for_people(gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.port('shifted')}"
    done = verify("-f", SPEC, "--against", url, "--rate", "0")
    assert done.returncode == 1
    head, row, *_, last = done.stdout.splitlines()
    assert head.split() == ["WITNESS", "KIND", "GROUP", "PROMISED", "FOUND", "REQUESTS"]
    assert row.split() == ["0100000000", "edge", "treatment", "checkout-v2", "checkout-v1", "8"]
    assert f"8 of {REQUESTS} requests differ from the spec" in last
    assert "as far as the version header tells" in last


def test_another_stage_is_another_promise(gateway: Gateway) -> None:
    code, shown, _ = at(gateway.port("right"), "--stage", "promote-v2")
    assert code == 1
    assert kinds(shown) == [("checkout-v2", "checkout-v1", 26)]


def test_methods_and_paths_are_those_of_the_routes(gateway: Gateway) -> None:
    code, shown, said = at(gateway.port("paths"), spec="samples/paths.yaml")
    assert code == 0, shown
    assert "requests (POST, GET)" in said
    assert len(shown["leftOut"]) == 2
    assert "route 'health' is raw" in said


def test_no_more_requests_than_wanted(gateway: Gateway) -> None:
    code, shown, _ = at(gateway.port("right"), "--max-requests", "5")
    assert code == 0
    assert shown["sent"] == {"blocks": 3, "edges": 2, "oddHeaders": 0}
    assert shown["unsent"] == [
        {"what": "edge", "requests": 4},
        {"what": "odd header", "requests": 29},
    ]
    done = verify(
        *("-f", SPEC, "--against", f"http://127.0.0.1:{gateway.port('right')}"),
        *("--max-requests", "5"),
    )
    assert "not sent: 4 edges, 29 odd headers" in done.stdout
    assert "5 of 5 requests meet" in done.stdout


def test_the_rate_is_kept(gateway: Gateway) -> None:
    started = time.monotonic()
    code, _, said = at(gateway.port("right"), "--max-requests", "21", rate="20")
    assert code == 0
    assert "at most 20 a second" in said
    assert time.monotonic() - started >= 1.0


def test_ctrl_c_shows_what_was_seen(gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.port('shifted')}"
    words = command("-f", SPEC, "--against", url, "--rate", "5")
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "sending" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "not sent:" in shown
    assert shown.endswith("interrupted\n")
    assert "Traceback" not in said


# --- where it is, and TLS -------------------------------------------------------------------


def test_resolve_keeps_the_name(gateway: Gateway) -> None:
    port = gateway.port("right")
    words = ("--resolve", f"{HOST}:{port}:127.0.0.1")
    done = verify("-f", SPEC, "--against", f"http://{HOST}:{port}", "--rate", "0", *words)
    assert done.returncode == 0, done.stderr
    assert f"to http://{HOST}:{port} as {HOST}" in done.stderr


@contextmanager
def tls_before(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Terminate TLS in front of a port of this machine."""
    loop = asyncio.new_event_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, outer), pump(inner, writer))

    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0, ssl=context))
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()


def test_tls(gateway: Gateway, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    with tls_before(gateway.port("right"), context) as port:

        def run(host: str, *words: str) -> subprocess.CompletedProcess[str]:
            return verify(
                *("-f", SPEC, "--against", f"https://{host}:{port}", "--rate", "0"),
                *("--resolve", f"{host}:{port}:127.0.0.1", *words),
            )

        trusted = run(HOST, "--cacert", str(file))
        assert trusted.returncode == 0, trusted.stderr
        assert names == [HOST]
        unknown = run(HOST)
        assert (unknown.returncode, unknown.stdout) == (3, "")
        assert "the certificate is not accepted: unable to get local issuer" in unknown.stderr
        other = run("www.example.com", "--cacert", str(file))
        assert (other.returncode, other.stdout) == (3, "")
        assert "Hostname mismatch" in other.stderr
        assert run("www.example.com", "--insecure-skip-tls-verify").returncode == 0


def test_no_tls_where_tls_is_asked_for(gateway: Gateway) -> None:
    url = f"https://127.0.0.1:{gateway.port('right')}"
    done = verify("-f", SPEC, "--against", url)
    assert (done.returncode, done.stdout) == (3, "")
    assert "no TLS: wrong version number" in done.stderr


def test_nobody_there() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        port = server.server_address[1]
    done = verify("-f", SPEC, "--against", f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"http://127.0.0.1:{port}: no connection: Connection refused" in done.stderr


# --- answers that say nothing ---------------------------------------------------------------


def test_a_right_route_without_a_backend_is_right_and_said() -> None:
    manifest = yaml.safe_load(json.dumps(compiled(SPEC).rendered[0].virtual_service))
    configuration = route_configuration([manifest])
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        closed = Endpoint(server.server_address[1])
    with running(
        [Listener("down", configuration)], dict.fromkeys(clusters(configuration), closed)
    ) as gateway:
        code, shown, _ = at(gateway.port("down"))
    assert code == 0
    assert shown["serverErrors"] == REQUESTS
    assert shown["differences"] == shown["unanswered"] == []


class Peer(socketserver.StreamRequestHandler):
    """Reads heads of requests, and answers each with `reply`; ends after `answers`."""

    reply = b""
    answers = 1 << 30
    heads: list[bytes]

    def handle(self) -> None:
        for _ in range(self.answers):
            head = b""
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                head += line
            if not line:
                return
            self.heads.append(head)
            self.answer()

    def answer(self) -> None:
        self.wfile.write(self.reply)


def status(line: str, body: bytes = b"", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {line}", f"content-length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


class Forgetful(Peer):
    """Hangs up after each answer, without having said so."""

    reply = status("200 OK", b"hi", "version: checkout-v1")
    answers = 1


class Silent(Peer):
    def answer(self) -> None:
        time.sleep(1)


class Dripping(Peer):
    def answer(self) -> None:
        try:
            for _ in range(40):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n"[:1])
                time.sleep(0.05)
        except OSError:
            pass


class Hasty(Peer):
    answers = 0


class Other(Peer):
    reply = b"SSH-2.0-OpenSSH_9.9\r\n"
    answers = 1


class Unwell(Peer):
    reply = status("503 Service Unavailable", b"no")


class Strict(Peer):
    reply = status("401 Unauthorized")


class Elsewhere(Peer):
    reply = status("301 Moved", b"", "location: https://127.0.0.1:1/")


class Endless(Peer):
    """Streams for ever."""

    def answer(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nversion: checkout-v1\r\n\r\n")
            while True:
                self.wfile.write(b"x" * 10_000)
        except OSError:
            pass


class Rude(Peer):
    """Names a version that would clear the screen."""

    reply = status("200 OK", b"", "version: \x1b[2J" + "v" * 500)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the other side hangs up, as it should."""


@contextmanager
def serving(handler: type[Peer]) -> Iterator[tuple[int, list[bytes]]]:
    heads: list[bytes] = []
    with Server(("127.0.0.1", 0), type("Recorded", (handler,), {"heads": heads})) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1], heads
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (Silent, "no answer within 0.2 s"),
        (Dripping, "no answer within 0.2 s"),
        (Hasty, "the gateway closed the connection"),
        (Other, "what came back is not HTTP/1.1"),
    ],
)
def test_after_five_requests_without_an_answer_no_more_are_sent(
    handler: type[Peer], problem: str
) -> None:
    with serving(handler) as (port, _):
        code, shown, _ = at(port, "--timeout", "0.2")
    assert code == 3
    assert shown["requests"] == 5
    [item] = shown["unanswered"]
    assert (item["problem"], item["requests"], item["value"]) == (problem, 5, "0010000000")
    assert sum(left["requests"] for left in shown["unsent"]) == REQUESTS - 5


@pytest.mark.parametrize(
    ("handler", "number"), [(Unwell, 503), (Strict, 401)], ids=["unwell", "strict"]
)
def test_an_answer_of_the_gateway_itself_is_no_version(handler: type[Peer], number: int) -> None:
    with serving(handler) as (port, heads):
        code, shown, _ = at(port)
    assert code == 3
    assert shown["differences"] == []
    [item] = shown["unanswered"]
    assert item["problem"] == f"status {number} without a version header"
    assert item["requests"] == len(heads) == REQUESTS


def test_redirects_are_not_followed() -> None:
    with serving(Elsewhere) as (port, heads):
        code, shown, _ = at(port)
    assert code == 1
    assert {item["found"]["destination"] for item in shown["differences"]} == {
        "no version, status 301"
    }
    assert len(heads) == REQUESTS


def test_a_connection_that_ends_meanwhile_is_replaced_and_nothing_sent_twice() -> None:
    with serving(Forgetful) as (port, heads):
        code, shown, _ = at(port, rate="200")
    assert (code, shown["requests"], shown["unanswered"]) == (1, REQUESTS, [])
    assert len(heads) == REQUESTS


def test_a_body_without_an_end_is_left() -> None:
    started = time.monotonic()
    with serving(Endless) as (port, _):
        code, shown, _ = at(port)
    assert (code, shown["requests"], shown["unanswered"]) == (1, REQUESTS, [])
    assert time.monotonic() - started < 20


def test_what_a_gateway_says_does_not_reach_the_terminal_as_it_is() -> None:
    with serving(Rude) as (port, _):
        done = verify("-f", SPEC, "--against", f"http://127.0.0.1:{port}", "--rate", "0")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 300


def test_what_is_sent_and_that_secrets_are_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer s3cret\n\nx-more: é\r\n", "utf-8")
    with serving(Unwell) as (port, heads):
        done = verify(
            *("-f", SPEC, "--against", f"http://127.0.0.1:{port}", "--rate", "0"),
            *("-H", f"@{file}", "-H", "x-team: s3cret"),
        )
    assert "s3cret" not in done.stdout + done.stderr
    for head in heads:
        first, *lines = head.decode().splitlines()
        assert first == "GET / HTTP/1.1"
        assert lines[0] == f"host: {HOST}"
        assert {"Authorization: Bearer s3cret", "x-more: é", "x-team: s3cret"} < set(lines)
    sent = [
        tuple(line for line in head.decode().splitlines() if line.lower().startswith("x-user"))
        for head in heads
    ]
    assert sent[:3] == [
        ("x-user-hash: 0010000000",),
        ("x-user-hash: 0110000000",),
        ("x-user-hash: 1100000000",),
    ]
    assert () in sent
    assert ("x-user-hash: ",) in sent
    assert ("X-USER-HASH: 0010000000",) in sent
    assert ("x-user-hash: 0000000000", "x-user-hash: 0100000000") in sent


# --- what a live gateway cannot be asked ----------------------------------------------------


def test_a_spec_without_version_header_cannot_be_verified(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    text = (ROOT / SPEC).read_text("utf-8")
    file.write_text(text + '\n  output: {versionHeader: ""}\n', "utf-8")
    done = verify("-f", str(file), "--against", "http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "turns output.versionHeader off" in done.stderr
    assert verify("-f", str(file), "--against", "envoy").returncode == 0


def test_a_wildcard_needs_a_host(tmp_path: Path, gateway: Gateway) -> None:
    file = tmp_path / "spec.yaml"
    text = (ROOT / SPEC).read_text("utf-8")
    file.write_text(text.replace(HOST, '"*.example.com"'), "utf-8")
    port = gateway.port("right")
    done = verify("-f", str(file), "--against", f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a host with --host" in done.stderr
    code, _, said = at(port, "--host", HOST, spec=str(file))
    assert code == 0
    assert f"as {HOST}" in said
    named = verify(
        *("-f", str(file), "--against", f"http://{HOST}:{port}", "--rate", "0"),
        *("--resolve", f"{HOST}:{port}:127.0.0.1"),
    )
    assert named.returncode == 0
    assert f"as {HOST}" in named.stderr
