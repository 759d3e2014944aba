"""The headers that versions set: names, values, and nothing set twice."""

from collections.abc import Iterator
from itertools import chain

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.istio.limits import (
    header_name_problem,
    header_value_problem,
    host_problem,
    path_problem,
)
from pinroute.istio.regex import regex_problem, substitution_problem
from pinroute.spec.meaning import Spec
from pinroute.spec.model import HeaderOps, Version

# Envoy accepts these, and every request or answer then breaks.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "upgrade", "te"})


def check_headers(spec: Spec) -> Iterator[Diagnostic]:
    """Yield what is wrong with the headers of an experiment."""
    experiment = spec.experiment
    for index, version in enumerate(experiment.versions):
        base: Path = ("spec", "versions", index)
        yield from _operations(spec, (*base, "headers", "request"), version.request, request=True)
        yield from _operations(
            spec, (*base, "headers", "response"), version.response, request=False
        )
        yield from _authority(spec, base, version)
        yield from _rewrite(spec, (*base, "rewrite"), version)
    name = experiment.output.version_header
    if name:
        path: Path = ("spec", "output", "versionHeader")
        problem = _name_problem(name, request=False)
        if problem is not None:
            yield diagnose("PIN211", spec.document.span(path), path, name=name, problem=problem)
    yield from _version_header(spec)


def _name_problem(name: str, *, request: bool) -> str | None:
    if name.lower() == "host":
        return None if request else "a response has no Host"
    if name.lower() in _FRAMING:
        return "it frames the message; changing it breaks every request"
    return header_name_problem(name)


def _operations(spec: Spec, base: Path, ops: HeaderOps, *, request: bool) -> Iterator[Diagnostic]:
    document = spec.document
    seen: dict[str, Path] = {}
    named = chain(
        (((*base, "set", name), name, value) for name, value in ops.set.items()),
        (((*base, "add", name), name, value) for name, value in ops.add.items()),
        (((*base, "remove", index), name, None) for index, name in enumerate(ops.remove)),
    )
    for path, name, value in named:
        where = document.span(path, key=True)
        problem = _name_problem(name, request=request)
        if name.lower() == "host" and path[-2] != "set":
            problem = "Host can only be set"
        if problem is not None:
            yield diagnose("PIN211", where, path, name=name, problem=problem)
        folded = name.lower()
        if folded in seen:
            first = Related(document.span(seen[folded], key=True), "it is first named here")
            yield diagnose("PIN240", where, path, name=name, related=(first,))
        seen.setdefault(folded, path)
        if value is not None:
            problem = header_value_problem(value)
            if problem is None and folded == "host":
                problem = host_problem(value.rsplit(":", 1)[0], wildcard=False)
            if problem is not None:
                hint = None
                if "%" in problem and "%%" not in value:
                    hint = f"write {value.replace('%', '%%')!r} if that is the text you mean"
                where = document.span(path)
                yield diagnose(
                    "PIN213", where, path, hint=hint, name=name, value=value, problem=problem
                )


def _authority(spec: Spec, base: Path, version: Version) -> Iterator[Diagnostic]:
    """Find a second setter of Host: the last one would win, by rules that nobody remembers."""
    setters: list[tuple[Path, str]] = []
    environment = spec.experiment.environment
    platform = environment.platform
    if (
        version.inference_service is not None
        and platform is not None
        and platform.mode == "Knative"
    ):
        setters.append(
            ((*base, "inferenceService"), "Knative routes by Host, which is set for it")
        )
    for name in version.request.set:
        if name.lower() == "host":
            setters.append(((*base, "headers", "request", "set", name), "headers.request.set"))
    if version.rewrite and "authority" in version.rewrite:
        setters.append(((*base, "rewrite", "authority"), "rewrite.authority"))
    for path, what in setters[1:]:
        first_path, first = setters[0]
        related = (Related(spec.document.span(first_path, key=True), f"the first: {first}"),)
        where = spec.document.span(path, key=True)
        knative = first_path[-1] == "inferenceService"
        hint = "remove it: Knative finds the version by this header" if knative else None
        yield diagnose(
            "PIN214", where, path, related=related, hint=hint, name=version.name, what=what
        )


def _rewrite(spec: Spec, path: Path, version: Version) -> Iterator[Diagnostic]:
    rewrite = version.rewrite
    if rewrite is None:
        return
    where = spec.document.span(path, key=True)
    if "uri" in rewrite and "uriRegexRewrite" in rewrite:
        yield diagnose(
            "PIN241", where, path, problem="'uri' and 'uriRegexRewrite' exclude each other"
        )
    if not rewrite:
        yield diagnose("PIN241", where, path, problem="it says nothing to rewrite")
    if "uri" in rewrite:
        problem = path_problem(rewrite["uri"])
        if problem is not None:
            yield diagnose("PIN241", spec.document.span((*path, "uri")), path, problem=problem)
    if "uriRegexRewrite" in rewrite:
        given = rewrite["uriRegexRewrite"]
        problem = regex_problem(given["match"]) or substitution_problem(
            given["match"], given["rewrite"]
        )
        if problem is not None:
            inner = (*path, "uriRegexRewrite")
            yield diagnose("PIN241", spec.document.span(inner), inner, problem=problem)
    if "authority" in rewrite:
        problem = host_problem(rewrite["authority"].rsplit(":", 1)[0], wildcard=False)
        if problem is not None:
            inner = (*path, "authority")
            value = rewrite["authority"]
            where = spec.document.span(inner)
            yield diagnose(
                "PIN213", where, inner, name="rewrite.authority", value=value, problem=problem
            )


def _version_header(spec: Spec) -> Iterator[Diagnostic]:
    name = spec.experiment.output.version_header
    for index, version in enumerate(spec.experiment.versions):
        for field, names in (("set", version.response.set), ("add", version.response.add)):
            for own in names:
                if name and own.lower() == name.lower():
                    path: Path = ("spec", "versions", index, "headers", "response", field, own)
                    where = spec.document.span(path, key=True)
                    hint = (
                        "it names the version that answered: give output.versionHeader "
                        'another name, or "" for none'
                    )
                    yield diagnose("PIN240", where, path, name=own, hint=hint)
