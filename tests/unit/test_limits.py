"""What Istio and Envoy accept, at the edges; a real Envoy confirms the values elsewhere."""

import pytest

from pinroute.istio.limits import (
    MAX_HEADER_BYTES,
    duration_problem,
    gateway_problem,
    header_name_problem,
    header_value_problem,
    host_problem,
    nanoseconds,
)

LABEL = "a" * 63


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "A",
        "0",
        "app",
        "app-1",
        "1app",
        "a.b",
        "a.b.c1",
        "x.1a",
        "example.com",
        "Example.COM",
        LABEL,
        f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}",
        f"{LABEL}.{LABEL}.{LABEL}.{LABEL}",
        "xn--bcher-kva.example",
        "1.2.3.4.com",
    ],
)
def test_hosts(host: str) -> None:
    assert host_problem(host, wildcard=False) is None
    assert host_problem(host, wildcard=True) is None


@pytest.mark.parametrize("host", ["*", "*.com", "*.example.com", f"*.{LABEL}"])
def test_wildcards_are_hosts_but_no_destinations(host: str) -> None:
    assert host_problem(host, wildcard=True) is None
    assert host_problem(host, wildcard=False) is not None


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "a_b",
        "é",
        "a.é",
        "-a",
        "a-",
        "a.-b",
        "a..b",
        ".a",
        "a.",
        "a/b",
        "https://a",
        "a:80",
        "a.com:80",
        "1.2.3.4",
        "::1",
        "[::1]",
        "[::1]:80",
        "fe80::1",
        "**",
        "*a.com",
        "a.*.com",
        "*.*.com",
        "*.",
        "a.b.5",
        "1.2.3",
        LABEL + "a",
        f"a.{LABEL}a",
        ".".join([LABEL] * 4) + ".a",
        "a\n",
        "a\x00",
    ],
)
def test_no_hosts(host: str) -> None:
    assert host_problem(host, wildcard=True) is not None
    assert host_problem(host, wildcard=False) is not None


@pytest.mark.parametrize("name", ["mesh", "a", "a-b", "ns/a", "istio-system/public", "0/0"])
def test_gateways(name: str) -> None:
    assert gateway_problem(name) is None


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a/b/c", "A", "ns/A", "a_b", "a.b c", "é"])
def test_no_gateways(name: str) -> None:
    assert gateway_problem(name) is not None


@pytest.mark.parametrize("name", ["a", "X-User", "x_y", "!#$%&'*+-.^_`|~09azAZ", "a" * 16_384])
def test_header_names(name: str) -> None:
    assert header_name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", ":path", " ", "a b", "a:", "a(b)", 'a"', "a/b", "é", "a\n", "a\t", "a" * 16_385]
)
def test_no_header_names(name: str) -> None:
    assert header_name_problem(name) is not None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "a\tb",
        "é",
        "😀",
        "a" * MAX_HEADER_BYTES,
        "é" * (MAX_HEADER_BYTES // 2),
        "100%%",
        "%%",
        "%%%%",
        "%PROTOCOL%",
        "%REQ(a)%",
        "%REQ(a?b)%",
        "%REQ(a)%%REQ(b)%",
        "%%%REQ(a)%%%",
        "%PROTOCOL%%HOSTNAME%",
        "x %REQ(a)% y %% z",
        "%START_TIME%",
        "%START_TIME(s.3f)%",
        "%DYNAMIC_METADATA(a:b)%",
    ],
)
def test_header_values(value: str) -> None:
    assert header_value_problem(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "a" * (MAX_HEADER_BYTES + 1),
        "é" * (MAX_HEADER_BYTES // 2 + 1),
        "a\n",
        "a\r",
        "\x00",
        "\x1f",
        "\x7f",
        "%",
        "100%",
        "%%%",
        "%FOO%",
        "%REQ%",
        "%REQ()%",
        "%REQ(a%",
        "%REQ%%(a)%",
        "%REQ(a)%%",
        "%req(a)%",
        "% PROTOCOL%",
        "%PROTOCOL %",
        "%PROTOCOL%%",
        "%PROTOCOL:x%",
        "%ENVIRONMENT(HOME)%",
        "%FILE_CONTENT(/etc/passwd)%",
        "%PRO%PROTOCOL%TOCOL%",
    ],
)
def test_no_header_values(value: str) -> None:
    assert header_value_problem(value) is not None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1ms", 10**6),
        ("1s", 10**9),
        ("1m", 60 * 10**9),
        ("1h", 3600 * 10**9),
        ("1h1m1s1ms", 3661001 * 10**6),
        ("0.001s", 10**6),
        ("1.5s", 1500 * 10**6),
        ("1000us", 10**6),
        ("1000000ns", 10**6),
        ("1000µs", 10**6),
        ("0.25h", 900 * 10**9),
        ("00005s", 5 * 10**9),
        ("0s1ms", 10**6),
    ],
)
def test_durations(text: str, length: int) -> None:
    assert duration_problem(text) is None
    assert nanoseconds(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "5",
        "0s",
        "0ms",
        "999us",
        "0.5ms",
        "1.5ms",
        "1ms1us",
        "-1s",
        "1 s",
        "1s ",
        "s",
        "1S",
        "1d",
        "1w",
        "1e3s",
        "1s\n",
        "٥s",
        "9223372036854775808ns",
        "2562048h",
    ],
)
def test_no_durations(text: str) -> None:
    assert duration_problem(text) is not None
