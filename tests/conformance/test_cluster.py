"""The servers of the tests themselves: who may do what, and what a server that fails says."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.cluster import Cluster

READER = {
    "apiGroups": ["networking.istio.io"],
    "resources": ["virtualservices"],
    "verbs": ["get", "list"],
}


def test_kubectl_and_a_connection_speak_to_the_same_server(cluster: "Cluster") -> None:
    assert "Server Version: v1.37" in cluster.kubectl("version").stdout
    with cluster.connect() as connection:
        answer = connection.send("GET", "/version")
    assert (answer.status, answer.body["minor"]) == (200, "37")


def test_a_user_may_do_what_its_rules_say(cluster: "Cluster") -> None:
    user = cluster.user("reader", "readers", [READER])
    assert "No resources" in user.kubectl("get", "virtualservices", "-n", "readers").stderr
    for refused in (
        ("get", "virtualservices", "-n", "default"),
        ("get", "secrets", "-n", "readers"),
        ("delete", "virtualservice", "x", "-n", "readers"),
    ):
        assert "Forbidden" in user.kubectl(*refused, check=False).stderr


def test_a_token_is_shown_nowhere(cluster: "Cluster") -> None:
    assert cluster.token not in repr(cluster)
    for file in cluster.folder.iterdir():
        if file.is_file() and cluster.token in file.read_text("utf-8", errors="replace"):
            assert file.stat().st_mode & 0o077 == 0, file


def test_a_warning_of_the_webhook_arrives(cluster: "Cluster") -> None:
    rules = [{"redirect": {"uri": "/"}}, {"name": "dead", "redirect": {"uri": "/x"}}]
    service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "warned", "namespace": "default"},
        "spec": {"hosts": ["a.example"], "http": rules},
    }
    path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices?dryRun=All"
    with cluster.connect() as connection:
        answer = connection.send("POST", path, service)
    assert answer.status == 201
    assert any("dead" in warning and "not used" in warning for warning in answer.warnings)


def test_a_server_that_ends_shows_its_log(tmp_path: Path) -> None:
    from servers.process import NotReady, started

    script = tmp_path / "server.sh"
    script.write_text("#!/bin/sh\necho no such disk >&2\nexit 3\n")
    script.chmod(0o755)
    with (
        pytest.raises(NotReady, match=r"(?s)ended with code 3.*no such disk"),
        started([script], tmp_path, lambda: False),
    ):
        pass


def test_a_server_that_is_silent_is_ended(tmp_path: Path) -> None:
    from servers.process import NotReady, started

    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    command: list[str | Path] = [sys.executable, "-c", code]
    with (
        pytest.raises(NotReady, match=r"not ready within 1 s"),
        started(command, tmp_path, lambda: False, seconds=1),
    ):
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_server_dies_with_whoever_started_it(tmp_path: Path) -> None:
    import signal
    import subprocess
    import time

    ours = Path(__file__).parents[1]
    starter = (
        "import sys; from pathlib import Path; from servers.process import started\n"
        f"with started([sys.executable, '-c', 'import time; time.sleep(60)'], Path({str(tmp_path)!r}),"
        " lambda: True) as server:\n    print(server.process.pid, flush=True); import time; time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", starter],
        env={**os.environ, "PYTHONPATH": str(ours)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while _runs(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(server)


def _runs(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
