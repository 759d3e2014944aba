"""The way to an API server: kubeconfig files, or the service account of a pod.

`kubernetes` reads both, runs exec plugins and refreshes tokens. What it decides about TLS is
kept: nothing here turns a check off.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pinroute.cluster.client import Client
from pinroute.cluster.failure import Unconfigured

if TYPE_CHECKING:
    from kubernetes.client import Configuration

CONNECTIONS = 8
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN = f"{_ACCOUNT}/token"


class Access(NamedTuple):
    """Which cluster, as kubectl's options say it; None leaves it to the environment.

    `kubeconfig` may list several files, as `$KUBECONFIG` does. `timeout` is the longest that
    one request may take, in seconds.
    """

    kubeconfig: str | None = None
    context: str | None = None
    timeout: float = 30.0


def connect(access: Access) -> Client:
    """Return a client; raises Unconfigured. Nothing is sent yet."""
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration()
    files = _kubeconfig(access)
    if files is not None:
        _from_kubeconfig(configuration, files, access.context)
    else:
        _from_service_account(configuration)
    configuration.connection_pool_maxsize = CONNECTIONS
    return Client(ApiClient(configuration), access.timeout)


def namespace(access: Access) -> str:
    """Return the namespace of the context, or of the pod; call it after `connect`."""
    files = _kubeconfig(access)
    if files is None:
        try:
            return Path(f"{_ACCOUNT}/namespace").read_text("utf-8").strip() or "default"
        except OSError:
            return "default"
    from kubernetes.config import list_kube_config_contexts

    contexts, current = list_kube_config_contexts(os.pathsep.join(_there(files)))
    if access.context is not None:
        current = next((one for one in contexts if one["name"] == access.context), current)
    return str((current.get("context") or {}).get("namespace") or "default")


def _kubeconfig(access: Access) -> str | None:
    """Return the kubeconfig files; None where a pod's service account is to be used."""
    named = access.kubeconfig or os.environ.get("KUBECONFIG") or ""
    default = Path("~/.kube/config").expanduser()
    if named or access.context is not None or default.is_file() or not _in_cluster():
        return named or str(default)
    return None


def _there(files: str) -> list[str]:
    """Return those of the files that exist."""
    return [name for name in files.split(os.pathsep) if name and Path(name).expanduser().is_file()]


def _in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and Path(_TOKEN).is_file()


def _from_kubeconfig(configuration: "Configuration", files: str, context: str | None) -> None:
    from kubernetes.config import ConfigException, load_kube_config

    there = _there(files)
    if not there:
        raise Unconfigured(
            f"there is no kubeconfig: {files} does not exist",
            "name one with --kubeconfig or $KUBECONFIG",
        )
    try:
        load_kube_config(
            config_file=os.pathsep.join(there),
            context=context,
            client_configuration=configuration,
            persist_config=False,
        )
    except ConfigException as error:
        raise Unconfigured(
            f"kubeconfig {files}: {error}",
            "'kubectl config get-contexts' lists the contexts; --context names one",
        ) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # What a broken file makes of the library: YAML errors are ValueErrors of their own.
        raise Unconfigured(f"kubeconfig {files} cannot be read: {error}") from None
    except Exception as error:
        from yaml import YAMLError

        if isinstance(error, YAMLError):
            raise Unconfigured(f"kubeconfig {files} is no YAML: {error}") from None
        raise


def _from_service_account(configuration: "Configuration") -> None:
    from kubernetes.config import ConfigException, load_incluster_config

    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise Unconfigured(f"the service account of this pod cannot be used: {error}") from None
