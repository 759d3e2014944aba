"""Does each version have exactly one backend that the environment can address?"""

from collections.abc import Callable, Iterator

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.platforms.naming import release_problem
from pinroute.spec.meaning import Spec
from pinroute.spec.nodes import Mapping


def check_backends(spec: Spec) -> list[Diagnostic]:
    """Return what is wrong with the backends of an experiment's versions."""
    return [finding for check in _CHECKS for finding in check(spec)]


def _one_backend(spec: Spec) -> Iterator[Diagnostic]:
    for index, version in enumerate(spec.experiment.versions):
        base: Path = ("spec", "versions", index)
        inference, service = version.inference_service, version.service
        if (inference is None) == (service is None):
            count = "two backends" if inference is not None else "no backend"
            where = spec.document.span((*base, "name"))
            yield diagnose("PIN217", where, base, name=version.name, count=count)
        if (
            inference is not None
            and inference.manifest is not None
            and inference.predictor is not None
        ):
            path = (*base, "inferenceService", "manifest")
            where = spec.document.span(path, key=True)
            yield diagnose("PIN229", where, path, name=version.name)


def _platform(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    path: Path = ("spec", "environment")
    platform = experiment.environment.platform
    node = document.node(path)
    if isinstance(node, Mapping) and "kserve" in node.entries and "kfserving" in node.entries:
        where = document.span((*path, "kfserving"), key=True)
        problem = "kserve and kfserving exclude each other"
        yield diagnose("PIN218", where, path, hint="keep one of the two", problem=problem)
    elif platform is not None:
        reason = release_problem(platform)
        if reason is not None:
            inner = (*path, platform.kind, "version")
            where = document.span(inner)
            problem = f"{platform.kind} {platform.version}: {reason}"
            yield diagnose("PIN218", where, inner, problem=problem)
    else:
        for index, version in enumerate(experiment.versions):
            if version.inference_service is not None:
                inner = ("spec", "versions", index, "inferenceService")
                where = document.span(inner, key=True)
                problem = "an inferenceService needs environment.kserve or environment.kfserving"
                yield diagnose("PIN218", where, inner, problem=problem)
                return


def _promotion(spec: Spec) -> Iterator[Diagnostic]:
    """Refuse to copy a version into the baseline's place where one is no InferenceService."""
    document, experiment = spec
    if experiment.promotion != "copy":
        return
    for version in experiment.versions:
        if version.inference_service is None:
            path: Path = ("spec", "promotion", "strategy")
            yield diagnose("PIN232", document.span(path), path, name=version.name)
            return


def _model(spec: Spec) -> Iterator[Diagnostic]:
    """Find candidates of which a promotion by copy would not know what to copy."""
    document, experiment = spec
    versions = experiment.versions
    if experiment.promotion == "swap" or any(item.inference_service is None for item in versions):
        return
    for index, version in enumerate(versions):
        inference = version.inference_service
        if inference is None or version.name == experiment.baseline:
            continue
        if inference.manifest is None and inference.predictor is None:
            path: Path = ("spec", "versions", index, "inferenceService")
            yield diagnose("PIN230", document.span(path, key=True), path, name=version.name)


def _subset_labels(spec: Spec) -> Iterator[Diagnostic]:
    """Find one subset of one host with two sets of labels."""
    first: dict[tuple[str, str], int] = {}
    versions = spec.experiment.versions
    for index, version in enumerate(versions):
        service = version.service
        if service is None or service.subset is None or not service.labels:
            continue
        before = first.setdefault((service.host.lower(), service.subset), index)
        other = versions[before].service
        if other is not None and other.labels != service.labels:
            path: Path = ("spec", "versions", index, "service", "labels")
            claim = spec.document.span(("spec", "versions", before, "service", "labels"), key=True)
            related = (Related(claim, "the other labels are here"),)
            where = spec.document.span(path, key=True)
            yield diagnose("PIN255", where, path, related=related, subset=service.subset)


_CHECKS: tuple[Callable[[Spec], Iterator[Diagnostic]], ...] = (
    _one_backend,
    _platform,
    _promotion,
    _model,
    _subset_labels,
)
