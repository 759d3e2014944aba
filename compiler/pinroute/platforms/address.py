"""Where the traffic of a version goes: host, port, subset, and the Host header it needs."""

from typing import NamedTuple

from pinroute.platforms.naming import service_name
from pinroute.spec.model import Environment, InferenceService, Service, Version


class Address(NamedTuple):
    """A destination. `authority` is the Host header to set, if the platform routes by it."""

    host: str
    port: int | None
    subset: str | None = None
    authority: str | None = None


def address(version: Version, environment: Environment, namespace: str) -> Address:
    """Return the address of a version; `namespace` completes a short Service name."""
    if version.inference_service is not None:
        return _inference(version.inference_service, environment)
    if version.service is not None:
        return _service(version.service, environment, namespace)
    raise ValueError(f"version {version.name!r} has no backend")


def _service(service: Service, environment: Environment, namespace: str) -> Address:
    host = service.host
    if "." not in host:
        host = f"{host}.{namespace}.svc.{environment.cluster_domain}"
    return Address(host.lower(), service.port, service.subset)


def _inference(service: InferenceService, environment: Environment) -> Address:
    platform = environment.platform
    if platform is None:
        raise ValueError("an InferenceService needs a platform")
    name = service_name(service, platform)
    full = f"{name}.{service.namespace}.svc.{environment.cluster_domain}"
    if platform.kind == "kfserving":
        # As its own tutorials do: the Service is an ExternalName for Knative's local
        # gateway, which routes by the short name.
        return Address(full, 80, authority=f"{name}.{service.namespace}")
    if platform.mode == "Standard":
        return Address(full, 80)
    gateway = (environment.local_gateway_host, environment.local_gateway_port)
    return Address(*gateway, authority=full)
