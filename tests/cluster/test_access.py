"""The way to the API server: kubeconfigs, TLS, credentials; all by the real server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from pinroute.cluster.api import access as access_room
from pinroute.cluster.api.access import Access, connect
from pinroute.cluster.api.failure import Unconfigured
from pinroute.cluster.api.kinds import SERVICE
from servers.process import free_ports

from .conftest import Ran, Shop

if TYPE_CHECKING:
    from servers.cluster import Cluster

DIFF = ("diff", "-f", "experiment.yaml", "--request-timeout", "5s")
FOUND = "+++ applied/VirtualService/default/checkout"
Edit = Callable[[dict[str, Any]], object]


class Visitor(Shop):
    """Somebody with a kubeconfig of their own, who only looks."""

    def config(self, *edits: Edit, name: str = "kubeconfig") -> Path:
        """Write the administrator's kubeconfig with changes in it."""
        body = json.loads(self.cluster.kubeconfig.read_text("utf-8"))
        for edit in edits:
            edit(body)
        path = self.folder / name
        path.write_text(json.dumps(body), "utf-8")
        return path

    def look(self, *edits: Edit) -> Ran:
        """Run diff with such a kubeconfig."""
        return self.run(*DIFF, "--kubeconfig", str(self.config(*edits)))


def cluster_with(**fields: Any) -> Edit:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return lambda body: body["clusters"][0]["cluster"].update(named)


def user(fields: Mapping[str, object]) -> Edit:
    return lambda body: body["users"][0].update(user=dict(fields))


def without(part: str, field: str) -> Edit:
    return lambda body: body[f"{part}s"][0][part].pop(field)


def plugin(command: str, *arguments: str, **more: object) -> Edit:
    version = "client.authentication.k8s.io/v1"
    own = {"apiVersion": version, "command": command, "args": list(arguments)}
    return user({"exec": {**own, **more}})


@pytest.fixture
def visitor(cluster: Cluster, tmp_path: Path) -> Visitor:
    found = Visitor(cluster, "default", tmp_path)
    found.write()
    return found


def test_the_way_as_it_should_be(visitor: Visitor) -> None:
    found = visitor.look()
    assert (found.code, FOUND in found.out) == (1, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no current-context"),
        ("a: [\n", "is no YAML: "),
        ("hello\n", "holds no mapping"),
        ("users: {a: b}\n", "users is no list"),
        ("contexts: [{context: {}}]\n", "contexts[0] has no name"),
        ("clusters: [{name: a, cluster: 1}]\n", "cluster 'a' is no mapping"),
        ("current-context: 1\n", "current-context is no text; quote it"),
    ],
)
def test_a_file_that_is_no_kubeconfig(visitor: Visitor, text: str, says: str) -> None:
    (visitor.folder / "bad").write_text(text, "utf-8")
    found = visitor.run(*DIFF, "--kubeconfig", "bad")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("Error: kubeconfig bad")
    assert says in found.err


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda body: body.pop("current-context"), "has no current-context"),
        (lambda body: body["clusters"].clear(), "names cluster 'tests', which is not there"),
        (lambda body: body["users"].clear(), "names user 'user', who is not there"),
        (cluster_with(server="127.0.0.1:6443"), "has server '127.0.0.1:6443', which is no URL"),
        (cluster_with(server="https://a:99999"), "which is no URL"),
        (cluster_with(server="https://me:secret@a"), "has a password in its server"),
        (cluster_with(server=7), "server is no text; quote it"),
        (
            cluster_with(certificate_authority="/nope"),
            "certificate-authority /nope cannot be read",
        ),
        (
            cluster_with(certificate_authority_data="a b!"),
            "certificate-authority-data is no base64",
        ),
        (cluster_with(certificate_authority_data="aGk="), "holds no certificate in PEM"),
        (cluster_with(insecure_skip_tls_verify=True), "take insecure-skip-tls-verify out"),
        (cluster_with(insecure_skip_tls_verify="yes"), "is neither true nor false"),
        (cluster_with(proxy_url="ftp:/a b"), "its proxy is no URL"),
        (user({"token": "a\nb"}), "the token is empty, or holds what no token does"),
        (user({"token": 12}), "token is no text; quote it"),
        (user({"tokenFile": "nope"}), "nope cannot be read: No such file or directory"),
        (user({"auth-provider": {"name": "gcp"}}), "use the exec plugin gke-gcloud-auth-plugin"),
        (user({"auth-provider": {"name": "oidc"}}), "no id-token that still holds"),
        (user({"client-certificate-data": "aGk="}), "has no client-key to go with the other"),
        (
            user({"client-certificate-data": "aGk=", "client-key-data": "aGk="}),
            "the client certificate and its key cannot be used",
        ),
        (user({"exec": {"apiVersion": "v9", "command": "a"}}), "has apiVersion 'v9'"),
        (user({"exec": {"apiVersion": "v9"}}), "has no command"),
        (user({"as": "jane", "as-groups": "admins"}), "as-groups is no list of texts"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(visitor: Visitor, edit: Edit, says: str) -> None:
    found = visitor.look(edit)
    assert (found.code, found.out) == (2, ""), found.err
    assert found.err.startswith("Error: ")
    assert f"{visitor.folder}/kubeconfig" in found.err
    assert says in found.err
    assert "secret" not in found.err


def test_no_kubeconfig_at_all(visitor: Visitor) -> None:
    named = visitor.run(*DIFF, "--kubeconfig", "nope")
    assert (named.code, named.out) == (2, "")
    assert "there is no kubeconfig: nope does not exist" in named.err
    default = visitor.run(*DIFF, environment={"KUBECONFIG": "", "HOME": "/nope"})
    assert default.code == 2
    assert "/nope/.kube/config does not exist" in default.err
    folder = visitor.run(*DIFF, "--kubeconfig", ".")
    assert (folder.code, "cannot be read: Is a directory" in folder.err) == (2, True)


def test_a_context_that_is_not_there(visitor: Visitor) -> None:
    found = visitor.run(*DIFF, "--context", "tets")
    assert (found.code, found.out) == (2, "")
    assert "there is no context 'tets' in kubeconfig" in found.err
    assert "did you mean 'tests'?" in found.err


def test_of_two_files_the_first_counts_as_for_kubectl(visitor: Visitor) -> None:
    def named(name: str) -> Edit:
        def edit(body: dict[str, Any]) -> None:
            body["current-context"] = body["contexts"][0]["name"] = name
            body["contexts"][0]["context"]["cluster"] = body["clusters"][0]["name"] = name

        return edit

    refused = cluster_with(server="https://127.0.0.1:1")
    first = visitor.config(named("first"), name="one")
    second = visitor.config(named("second"), refused, name="two")
    both = {"KUBECONFIG": f"nope:{first}:{second}"}
    words = ("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    peer = replace(visitor.cluster, kubeconfig=Path(f"{first}:{second}"))
    assert peer.kubectl(*words).stdout == visitor.cluster.server
    assert FOUND in visitor.run(*DIFF, environment=both).out
    other = visitor.run(*DIFF, "--context", "second", environment=both)
    assert other.code == 3
    assert "https://127.0.0.1:1 cannot be reached: Connection refused" in other.err
    assert f"cluster 'second' of {second}" in other.err


def test_a_server_that_is_not_there(visitor: Visitor) -> None:
    name = visitor.look(cluster_with(server="https://no-such-host.invalid:6443"))
    assert name.code == 3
    assert "no-such-host.invalid:6443 cannot be reached: its name cannot be resolved" in name.err
    plain = visitor.look(cluster_with(server=visitor.cluster.server.replace("https", "http")))
    assert plain.code == 3
    assert "Client sent an HTTP request to an HTTPS server" in plain.err
    assert "the right scheme, port and path?" in plain.err
    silent = visitor.look(cluster_with(proxy_url=f"http://127.0.0.1:{free_ports(1)[0]}"))
    assert (silent.code, "the proxy of the API server" in silent.err) == (3, True)


def test_a_server_that_is_somebody_else_is_not_trusted(visitor: Visitor) -> None:
    other = visitor.folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for edit in (
        cluster_with(certificate_authority="other.pem"),  # relative to the kubeconfig
        without("cluster", "certificate-authority"),
        cluster_with(tls_server_name="other.example.com"),
        cluster_with(server=visitor.cluster.server.replace("127.0.0.1", "localhost")),
    ):
        found = visitor.look(edit)
        assert (found.code, found.out) == (3, "")
        assert "is not trusted: " in found.err
        assert "compare the certificate-authority and the address of cluster 'tests'" in found.err


def test_what_a_kubeconfig_turns_off_is_told(visitor: Visitor) -> None:
    found = visitor.look(
        without("cluster", "certificate-authority"), cluster_with(insecure_skip_tls_verify=True)
    )
    assert (found.code, FOUND in found.out) == (1, True)
    assert f"turns TLS verification off for {visitor.cluster.server}" in found.err
    assert "InsecureRequestWarning" not in found.err


def test_credentials_that_are_not_taken(visitor: Visitor) -> None:
    found = visitor.look(user({"token": "secret-but-wrong"}))
    assert (found.code, found.out) == (3, "")
    assert "does not take the credentials of user 'user' of" in found.err
    assert "401 Unauthorized" in found.err
    assert "secret" not in found.err


def test_nobody_may_nothing(visitor: Visitor) -> None:
    found = visitor.look(user({}))
    assert found.code == 3
    assert "system:anonymous may not get virtualservices.networking.istio.io" in found.err
    assert 'resources ["virtualservices"], verbs ["get"]' in found.err


def test_a_token_in_a_file(visitor: Visitor) -> None:
    (visitor.folder / "token").write_text(f"{visitor.cluster.token}\n", "utf-8")
    assert FOUND in visitor.look(user({"tokenFile": "token", "token": "old"})).out


def test_as_somebody_else(visitor: Visitor) -> None:
    token = {"token": visitor.cluster.token}
    found = visitor.look(user({**token, "as": "jane"}))
    assert (found.code, "jane may not get" in found.err) == (3, True)
    groups = {"as": "jane", "as-groups": ["some", "system:masters"]}
    assert FOUND in visitor.look(user({**token, **groups})).out


def test_a_client_certificate(visitor: Visitor, tmp_path: Path) -> None:
    """The cluster's authority signs; RBAC knows the common name."""
    found = visitor.look(user(certificate(visitor.cluster, tmp_path)))
    assert found.code == 3
    assert "jane may not get" in found.err


def certificate(cluster: Cluster, folder: Path) -> dict[str, str]:
    issued = cluster.certificates.issue_cert("jane.example.com", common_name="jane")
    pair = {"client-certificate": folder / "jane.pem", "client-key": folder / "jane.key"}
    pair["client-certificate"].write_bytes(issued.cert_chain_pems[0].bytes())
    pair["client-key"].write_bytes(issued.private_key_pem.bytes())
    return {name: str(path) for name, path in pair.items()}


CREDENTIAL = """
import json, os, pathlib, sys
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
pathlib.Path("asked.json").write_text(json.dumps(asked))
calls = pathlib.Path("calls")
calls.write_text((calls.read_text() if calls.exists() else "") + "x")
status = json.loads(os.environ["STATUS"])
print(json.dumps({"apiVersion": asked["apiVersion"], "kind": "ExecCredential", "status": status}))
"""


def granting(visitor: Visitor, status: object, **more: object) -> Edit:
    (visitor.folder / "plugin.py").write_text(CREDENTIAL, "utf-8")
    environment = [{"name": "STATUS", "value": json.dumps(status)}]
    script = str(visitor.folder / "plugin.py")
    return plugin(sys.executable, script, env=environment, **more)


def test_a_plugin_grants_a_token(visitor: Visitor) -> None:
    status = {"token": visitor.cluster.token, "expirationTimestamp": "2099-01-01T00:00:00Z"}
    found = visitor.look(granting(visitor, status, provideClusterInfo=True))
    assert (found.code, FOUND in found.out) == (1, True), found.err
    asked = json.loads((visitor.folder / "asked.json").read_text("utf-8"))
    assert asked["spec"]["interactive"] is False
    assert asked["spec"]["cluster"]["server"] == visitor.cluster.server
    assert asked["spec"]["cluster"]["certificate-authority-data"]
    assert (visitor.folder / "calls").read_text("utf-8") == "x"  # once for all requests


def test_a_plugin_grants_a_certificate(visitor: Visitor, tmp_path: Path) -> None:
    certificate(visitor.cluster, tmp_path)
    status = {
        "clientCertificateData": (tmp_path / "jane.pem").read_text("utf-8"),
        "clientKeyData": (tmp_path / "jane.key").read_text("utf-8"),
    }
    found = visitor.look(granting(visitor, status))
    assert (found.code, "jane may not get" in found.err) == (3, True), found.err


def test_what_is_refused_is_asked_for_once_more(visitor: Visitor) -> None:
    found = visitor.look(granting(visitor, {"token": "expired"}))
    assert (found.code, "401 Unauthorized" in found.err) == (3, True)
    assert (visitor.folder / "calls").read_text("utf-8") == "xx"


def test_a_plugin_is_asked_again_when_its_token_has_expired(visitor: Visitor) -> None:
    status = {"token": visitor.cluster.token, "expirationTimestamp": "2001-01-01T00:00:00Z"}
    assert FOUND in visitor.look(granting(visitor, status)).out
    assert len((visitor.folder / "calls").read_text("utf-8")) > 1


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (plugin("no-such-plugin", installHint="install it so"), "hint: install it so"),
        (plugin("./absent"), "absent cannot be run: No such file or directory"),
        (plugin("false"), "false ended with code 1"),
        (plugin("echo", "hello"), "echo prints no ExecCredential in JSON"),
        (plugin("echo", '{"kind": "ExecCredential"}'), "answers in apiVersion None"),
        (
            plugin(
                "echo",
                '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}',
            ),
            "grants neither a token nor a certificate",
        ),
    ],
)
def test_a_plugin_that_grants_nothing(visitor: Visitor, edit: Edit, says: str) -> None:
    found = visitor.look(edit)
    assert (found.code, found.out) == (3, ""), found.err
    assert "exec plugin of user 'user' of" in found.err
    assert says in found.err


def test_in_a_pod(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths of a service account are fixed; here they are ours."""
    host, _, port = cluster.server.removeprefix("https://").rpartition(":")
    monkeypatch.setattr(access_room, "ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(Unconfigured, match="there is no kubeconfig"):
        connect(Access())
    (tmp_path / "token").write_text(cluster.token, "utf-8")
    with pytest.raises(Unconfigured, match=r"ca\.crt cannot be read"):
        connect(Access())
    (tmp_path / "ca.crt").write_bytes(cluster.authority.read_bytes())
    found = connect(Access()).get(SERVICE, "default", "kubernetes")
    assert found is not None
    with pytest.raises(Unconfigured, match="there is no kubeconfig"):
        connect(Access(context="elsewhere"))  # what is named is not passed over
