"""Files that a spec names: the InferenceService of a version, the DestinationRule of a subset."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.platforms.address import address
from pinroute.spec.load import load
from pinroute.spec.meaning import Spec
from pinroute.spec.model import Body, VersionName
from pinroute.spec.nodes import Document
from pinroute.spec.scalars import value
from pinroute.spec.shape import errors

Read = Callable[[str], bytes]


def companions(
    spec: Spec, read: Read | None, beside: Sequence[Document]
) -> tuple[Mapping[VersionName, Body], list[Diagnostic]]:
    """Return the InferenceService of each version that names a file, and what is wrong.

    `beside` are the documents of other kinds in the spec's own file: a DestinationRule
    may stand there too.
    """
    found: list[Diagnostic] = []
    manifests: dict[VersionName, Body] = {}
    for index, version in enumerate(spec.experiment.versions):
        inference = version.inference_service
        if inference is None or inference.manifest is None:
            continue
        path: Path = ("spec", "versions", index, "inferenceService", "manifest")
        bodies = _objects(spec, path, inference.manifest, read, found)
        if bodies is None:
            continue
        wanted = ("InferenceService", inference.namespace, inference.name)
        named = [body for body in bodies if _identity(body) == wanted]
        if named:
            manifests[version.name] = named[-1]
        else:
            missing = f"{wanted[0]} {wanted[1]}/{wanted[2]}"
            there = [
                f"{kind} {space}/{name}" for kind, space, name in map(_identity, bodies) if kind
            ]
            where = spec.document.span(path)
            found.append(
                diagnose(
                    "PIN239",
                    where,
                    path,
                    file=inference.manifest,
                    missing=missing,
                    there=", ".join(there[:12]) or "nothing",
                )
            )
    _check_subsets(spec, read, beside, found)
    return manifests, found


def _objects(
    spec: Spec, path: Path, name: str, read: Read | None, found: list[Diagnostic]
) -> list[Mapping[str, Any]] | None:
    """Return the objects of a file, None if it cannot be used."""
    where = spec.document.span(path)
    try:
        loaded = load(name, (read or _nowhere)(name))
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        problem = getattr(error, "strerror", None) or str(error)
        found.append(diagnose("PIN231", where, path, file=name, problem=problem))
        return None
    wrong = [item for item in loaded.diagnostics if errors([item])]
    if wrong:
        problem = f"line {wrong[0].span.line}: {wrong[0].message}"
        hint = "mend that file first"
        found.append(diagnose("PIN231", where, path, hint=hint, file=name, problem=problem))
        return None
    return [_data(document) for document in loaded.others]


def _nowhere(_name: str) -> bytes:
    raise OSError("there is no folder to look in")


def _data(document: Document) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value(document.root))


def _identity(body: Mapping[str, Any]) -> tuple[object, object, object]:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(body.get("spec"), dict):
        return ("", "", "")
    return (body.get("kind"), metadata.get("namespace", "default"), metadata.get("name"))


def _check_subsets(
    spec: Spec, read: Read | None, beside: Sequence[Document], found: list[Diagnostic]
) -> None:
    """Check that each subset is declared: in the spec, in a named file, or beside the spec."""
    document, experiment = spec
    near = [_data(other) for other in beside]
    for index, version in enumerate(experiment.versions):
        service = version.service
        if service is None or service.subset is None or service.labels:
            continue
        base: Path = ("spec", "versions", index, "service")
        rules = near
        if service.destination_rule is not None:
            path = (*base, "destinationRule")
            named = _objects(spec, path, service.destination_rule, read, found)
            if named is None:
                continue
            rules = named
        path = (*base, "subset")
        where = document.span(path)
        host = address(version, experiment.environment, experiment.route.namespace).host
        declared = _declared(rules, host, experiment.environment.cluster_domain)
        if declared is None:
            found.append(diagnose("PIN244", where, path, subset=service.subset, host=host))
        elif service.subset not in declared:
            known = ", ".join(sorted(declared)) or "none"
            found.append(
                diagnose("PIN243", where, path, subset=service.subset, host=host, known=known)
            )


def _declared(rules: Sequence[Mapping[str, Any]], host: str, domain: str) -> set[str] | None:
    """Return the subsets that DestinationRules declare for a host; None if none is for it."""
    names: set[str] | None = None
    for rule in rules:
        kind, namespace, _ = _identity(rule)
        if kind != "DestinationRule":
            continue
        given = str(rule["spec"].get("host", ""))
        full = given if "." in given else f"{given}.{namespace}.svc.{domain}"
        if full.lower() != host:
            continue
        given_subsets = rule["spec"].get("subsets")
        subsets = given_subsets if isinstance(given_subsets, list) else []
        found = {
            str(item["name"]) for item in subsets if isinstance(item, dict) and "name" in item
        }
        names = found | (names or set())
    return names
