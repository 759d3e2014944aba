"""Who looks after an object: us, a controller that syncs Git, another tool, a person.

Labels and annotations by which the tools track what they own, and the field managers that
the API server keeps. Sources: Argo CD "Resource Tracking", Flux "Kustomization" and
"HelmRelease", Helm "Labels and Annotations", Flagger and Argo Rollouts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pinroute.cluster.api.kinds import Body
from pinroute.istio.resource import as_list, as_mapping
from pinroute.manifest.objects import EXPERIMENT, EXPERIMENT_NAMESPACE, MANAGED_BY

_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "flux": "Flux",
    "flagger": "Flagger",
    "rollouts-controller": "Argo Rollouts",
    "helm": "Helm",
}
_SYNC_GIT = frozenset({"Argo CD", "Flux"})


class Owner(NamedTuple):
    """A tool, and what in it owns the object, if that is known."""

    tool: str
    name: str = ""

    @property
    def syncs_git(self) -> bool:
        """Whether what we write would be taken back: the change belongs in Git."""
        return self.tool in _SYNC_GIT

    @property
    def shown(self) -> str:
        """The owner in words."""
        return f"{self.tool} ({self.name})" if self.name else self.tool


def experiment_of(body: Body) -> tuple[str, str] | None:
    """Return the namespace and name of the experiment whose labels an object carries."""
    labels = as_mapping(as_mapping(body.get("metadata")).get("labels"))
    if labels.get(MANAGED_BY) != "pinroute" or EXPERIMENT not in labels:
        return None
    return str(labels.get(EXPERIMENT_NAMESPACE) or "default"), str(labels[EXPERIMENT])


def note_of(body: Body, name: str) -> str:
    """Return an annotation, empty if there is none."""
    notes = as_mapping(as_mapping(body.get("metadata")).get("annotations"))
    return str(notes.get(name) or "")


def owners(body: Body) -> list[Owner]:
    """Return who owns an object beside us, who says most about it first; a person is kubectl."""
    found: dict[str, Owner] = {}
    for owner in (*_tracked(body), *_managing(body)):
        found.setdefault(owner.tool, owner)
    return list(found.values())


def managers(body: Body) -> list[str]:
    """Return the field managers of an object, without the status's."""
    entries = as_list(as_mapping(body.get("metadata")).get("managedFields"))
    named = (as_mapping(entry) for entry in entries)
    return list(
        dict.fromkeys(
            str(one.get("manager")) for one in named if one.get("subresource") != "status"
        )
    )


def _tracked(body: Body) -> Iterator[Owner]:
    metadata = as_mapping(body.get("metadata"))
    labels = as_mapping(metadata.get("labels"))
    notes = as_mapping(metadata.get("annotations"))
    tracking = notes.get("argocd.argoproj.io/tracking-id")
    if tracking:
        yield Owner("Argo CD", f"application {str(tracking).partition(':')[0]}")
    for controller, what in (("kustomize", "Kustomization"), ("helm", "HelmRelease")):
        prefix = f"{controller}.toolkit.fluxcd.io"
        if f"{prefix}/name" in labels:
            where = f"{labels.get(f'{prefix}/namespace', '')}/{labels[f'{prefix}/name']}"
            yield Owner("Flux", f"{what} {where}")
    if labels.get(MANAGED_BY) == "Helm":
        release = notes.get("meta.helm.sh/release-name")
        yield Owner("Helm", f"release {release}" if release else "")
    for reference in as_list(metadata.get("ownerReferences")):
        fields = as_mapping(reference)
        yield Owner(f"{fields.get('kind')}", str(fields.get("name") or ""))


def _managing(body: Body) -> Iterator[Owner]:
    for manager in managers(body):
        if manager.startswith("kubectl"):
            yield Owner("kubectl")
        elif manager in _MANAGERS:
            yield Owner(_MANAGERS[manager])
        elif manager != "pinroute":
            yield Owner(f"field manager {manager}")
