"""etcd, a Kubernetes API server with Istio's kinds, and istiod with its validating webhook."""

import base64
import json
import secrets
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trustme

from servers.access import Access, Connection
from servers.process import PortTaken, Server, built, free_ports, started, until

ATTEMPTS = 3  # for ports that others took in between
SYSTEM = "istio-system"
NETWORKING = "/apis/networking.istio.io/v1"
# What Istio's chart registers; the address is ours.
RULES = {
    "operations": ["CREATE", "UPDATE"],
    "apiGroups": [
        "security.istio.io",
        "networking.istio.io",
        "telemetry.istio.io",
        "extensions.istio.io",
    ],
    "apiVersions": ["*"],
    "resources": ["*"],
}
REFUSED_BY_ISTIO = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "probe", "namespace": "default"},
    "spec": {"hosts": ["a.example"]},
}


@dataclass(frozen=True)
class Cluster(Access):
    """The administrator's access to a running cluster; `xds` is istiod's port for proxies."""

    folder: Path
    certificates: trustme.CA
    xds: int
    etcd: Server
    api_server: Server
    istiod: Server

    def namespace(self, *names: str) -> None:
        """Create namespaces; those that exist already are left as they are."""
        for name in names:
            found = self.kubectl("create", "namespace", name, check=False)
            if found.returncode != 0 and "AlreadyExists" not in found.stderr:
                raise AssertionError(found.stderr)

    def user(
        self, name: str, namespace: str, rules: Sequence[Mapping[str, Sequence[str]]]
    ) -> Access:
        """Return the access of a new service account that may do, there, what RBAC rules allow."""
        kind = {"apiVersion": "rbac.authorization.k8s.io/v1"}
        metadata = {"name": name, "namespace": namespace}
        role = {**kind, "kind": "Role", "metadata": metadata, "rules": list(rules)}
        binding = {
            **kind,
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [{"kind": "ServiceAccount", **metadata}],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": name,
            },
        }
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        self.namespace(namespace)
        for item in (account, role, binding):
            self.kubectl("create", "-f", "-", stdin=json.dumps(item))
        token = self.kubectl("create", "token", name, "--namespace", namespace).stdout.strip()
        kubeconfig = self.folder / f"{namespace}.{name}.kubeconfig"
        return Access.written(self.server, self.authority, kubeconfig, token)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start everything, and end it with the context; raise NotReady with a server's log."""
    for attempt in range(ATTEMPTS):
        with ExitStack() as stack:
            try:
                found = _start(stack)
            except PortTaken:
                if attempt + 1 == ATTEMPTS:
                    raise
                continue
            yield found
        return


def _start(stack: ExitStack) -> Cluster:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinroute-cluster-")))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    etcd, store = _etcd(stack, folder)
    api_server, access = _api_server(stack, folder, authority, store)
    access.kubectl("create", "-f", str(built("istio-crds.yaml")))
    access.kubectl("wait", "--for", "condition=established", "crd", "--all", "--timeout=60s")
    access.kubectl("create", "namespace", SYSTEM)
    istiod, xds, webhook = _istiod(stack, folder, authority, access)
    _register(access, authority, webhook)
    return Cluster(
        access.server,
        access.authority,
        access.kubeconfig,
        access.token,
        folder,
        authority,
        xds,
        etcd,
        api_server,
        istiod,
    )


def _etcd(stack: ExitStack, folder: Path) -> tuple[Server, str]:
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    command: list[str | Path] = [
        *(built("etcd"), "--data-dir", folder / "etcd", "--unsafe-no-fsync"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"default={peer}"),
    ]
    ready = partial(_answers, f"{client}/health")
    return stack.enter_context(started(command, folder, ready)), client


def _api_server(
    stack: ExitStack, folder: Path, authority: trustme.CA, store: str
) -> tuple[Server, Access]:
    (port,) = free_ports(1)
    token = secrets.token_urlsafe(32)
    access = Access.written(
        f"https://127.0.0.1:{port}",
        folder / "authority.pem",
        folder / "admin.kubeconfig",
        token,
    )
    tokens, accounts = folder / "tokens.csv", folder / "accounts.key"
    tokens.touch(mode=0o600)
    tokens.write_text(f"{token},admin,admin,system:masters\n", encoding="utf-8")
    serving = _certificate(folder, "api-server", authority)
    accounts.touch(mode=0o600)
    key = authority.issue_cert("accounts", key_type=trustme.KeyType.RSA).private_key_pem
    accounts.write_bytes(key.bytes())
    command: list[str | Path] = [
        *(built("kube-apiserver"), "--etcd-servers", store),
        *("--bind-address", "127.0.0.1", "--secure-port", str(port)),
        *("--tls-cert-file", serving[0], "--tls-private-key-file", serving[1]),
        *("--service-account-key-file", accounts, "--service-account-signing-key-file", accounts),
        *("--service-account-issuer", "https://kubernetes.default.svc"),
        *("--service-cluster-ip-range", "10.0.0.0/16", "--token-auth-file", tokens),
        *("--client-ca-file", access.authority),
        *("--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"),
        *("--cert-dir", folder / "api-server"),
    ]

    def ready() -> bool:
        with access.connect() as connection:
            return (
                connection.send("GET", "/readyz").status == 200
                and connection.send("GET", "/api/v1/namespaces/default").status == 200
            )

    return stack.enter_context(started(command, folder, ready)), access


def _istiod(
    stack: ExitStack, folder: Path, authority: trustme.CA, access: Access
) -> tuple[Server, int, int]:
    xds, http, https, monitoring = free_ports(4)
    certificate, key = _certificate(folder, "istiod", authority)
    # A file of its own: with the API server's path for both, istiod sets up no TLS.
    trusted = folder / "istiod-authority.pem"
    trusted.write_bytes(access.authority.read_bytes())
    for name in ("mesh.yaml", "networks.yaml"):
        (folder / name).write_text("{}\n", encoding="utf-8")
    command: list[str | Path] = [
        *(built("pilot-discovery"), "discovery", "--kubeconfig", access.kubeconfig),
        *("--grpcAddr", f"127.0.0.1:{xds}", "--secureGRPCAddr", ""),
        *("--httpAddr", f"127.0.0.1:{http}", "--httpsAddr", f"127.0.0.1:{https}"),
        *("--monitoringAddr", f"127.0.0.1:{monitoring}", "--ctrlz_port", "0"),
        *("--meshConfig", folder / "mesh.yaml", "--networksConfig", folder / "networks.yaml"),
        *("--tlsCertFile", certificate, "--tlsKeyFile", key, "--caCertFile", trusted),
    ]
    environment = {
        "ENABLE_CA_SERVER": "false",
        "PILOT_ENABLE_AMBIENT": "false",
        "POD_NAME": "istiod-0",
        "POD_NAMESPACE": SYSTEM,
    }
    ready = partial(_answers, f"http://127.0.0.1:{http}/ready")
    server = stack.enter_context(started(command, folder, ready, environment=environment))
    return server, xds, https


def _register(access: Access, authority: trustme.CA, port: int) -> None:
    """Make the API server ask istiod, and wait until it does."""
    hook = {
        "name": "validation.istio.io",
        "clientConfig": {
            "url": f"https://127.0.0.1:{port}/validate",
            "caBundle": base64.b64encode(authority.cert_pem.bytes()).decode(),
        },
        "rules": [RULES],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "istio-validator"},
        "webhooks": [hook],
    }
    access.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
    with access.connect() as connection:
        until("the webhook refuses", lambda: _asks_istio(connection))


def _asks_istio(connection: Connection) -> bool:
    path = f"{NETWORKING}/namespaces/default/virtualservices?dryRun=All"
    return "denied the request" in connection.send("POST", path, REFUSED_BY_ISTIO).message


def _certificate(folder: Path, name: str, authority: trustme.CA) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    issued = authority.issue_cert("127.0.0.1")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  ours, on loopback
        return bool(response.status == 200)
