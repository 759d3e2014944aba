"""What of the way to an API server needs none: proxies, tokens that are renewed, expiry."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pinroute.cluster.api import credentials as room
from pinroute.cluster.api.credentials import TokenFile, credentials
from pinroute.cluster.api.failure import Unconfigured
from pinroute.cluster.api.kubeconfig import Entry, Login
from pinroute.cluster.api.transport import Server, Transport, goes_direct, proxy_of

SERVER = Server("https://10.0.0.1:6443", "cluster 'tests'")


@pytest.mark.parametrize(
    ("host", "unproxied", "direct"),
    [
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("10.0.0.1", "", False),
        ("10.0.0.1", "10.0.0.0/8", True),
        ("10.0.0.1", "192.168.0.0/16, 10.0.0.1", True),
        ("10.0.0.1", "10.0.0.1:6443", True),
        ("10.0.0.1", "10.0.0.1:443", False),
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "*.example.com", True),
        ("badexample.com", "example.com", False),
        ("api.example.com", "10.0.0.0/8", False),
        ("api.example.com", "*", True),
        ("api.example.com", ",", False),
    ],
)
def test_what_needs_no_proxy(host: str, unproxied: str, direct: bool) -> None:
    assert goes_direct(host, 6443, unproxied) is direct


def test_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_of(SERVER) == ""
    monkeypatch.setenv("https_proxy", "proxy:3128")
    assert proxy_of(SERVER) == "http://proxy:3128"
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    assert proxy_of(SERVER) == ""
    assert proxy_of(SERVER._replace(proxy="http://other:1")) == "http://other:1"


@pytest.mark.parametrize(
    ("url", "is_clear"),
    [
        ("http://10.0.0.1:8080", True),
        ("http://127.0.0.1:8001", False),
        ("http://localhost:8001", False),
        ("https://10.0.0.1", False),
    ],
)
def test_who_may_read_along(url: str, is_clear: bool) -> None:
    assert Transport(Server(url, "cluster")).is_in_the_clear is is_clear


def test_a_socks_proxy_needs_a_package() -> None:
    with pytest.raises(Unconfigured, match="SOCKS") as failure:
        Transport(SERVER._replace(proxy="socks5://127.0.0.1:1"))
    assert failure.value.hint == "pip install pysocks"


def test_a_token_that_is_renewed_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_text("one\n", "utf-8")
    who = TokenFile("this pod", path, ())
    assert who.headers() == (("Authorization", "Bearer one"),)
    path.write_text("two", "utf-8")
    assert who.headers() == (("Authorization", "Bearer one"),)
    assert who.renew()
    assert who.headers() == (("Authorization", "Bearer two"),)
    assert not who.renew()
    path.write_text("three", "utf-8")
    monkeypatch.setattr(room, "READ_AGAIN", -1.0)
    assert who.headers() == (("Authorization", "Bearer three"),)


def _user(fields: dict[str, Any]) -> Login:
    cluster = Entry("cluster", "tests", {}, Path("/k/config"))
    return Login(cluster, Entry("user", "jane", fields, Path("/k/config")))


def _token(expiry: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def test_what_kubectl_has_stored_for_a_provider() -> None:
    def provided(token: str) -> Login:
        return _user({"auth-provider": {"name": "oidc", "config": {"id-token": token}}})

    good = _token(time.time() + 60)
    assert credentials(provided(good)).headers() == (("Authorization", f"Bearer {good}"),)
    with pytest.raises(Unconfigured, match="no id-token that still holds") as failure:
        credentials(provided(_token(time.time() - 60)))
    assert "kubectl" in failure.value.hint


def test_name_and_password() -> None:
    found = credentials(_user({"username": "a", "password": "b"})).headers()
    assert found == (("Authorization", "Basic YTpi"),)


def test_as_whom() -> None:
    fields = {"as": "a", "as-uid": "1", "as-groups": ["g", "h"], "as-user-extra": {"X/y": ["z"]}}
    assert credentials(_user(fields)).headers() == (
        ("Impersonate-User", "a"),
        ("Impersonate-Uid", "1"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Group", "h"),
        ("Impersonate-Extra-x%2Fy", "z"),
    )
