"""What Istio or Envoy would refuse, or serve wrongly, found in the spec: hosts and routes.

Headers have a module of their own.
"""

from collections.abc import Callable, Iterator

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.istio.headers import check_headers
from pinroute.istio.limits import (
    duration_problem,
    gateway_problem,
    header_name_problem,
    header_value_problem,
    host_problem,
    path_problem,
)
from pinroute.istio.regex import regex_problem
from pinroute.spec.meaning import Spec
from pinroute.spec.nodes import Document, Mapping, Scalar, Sequence
from pinroute.spec.scalars import scalar_value

ACTIONS = ("route", "redirect", "directResponse")
ROUTE_FIELDS = frozenset(
    [
        "authority",
        "corsPolicy",
        "delegate",
        "directResponse",
        "fault",
        "gateways",
        "headers",
        "match",
        "mirror",
        "mirrorPercent",
        "mirrorPercentage",
        "mirrors",
        "name",
        "redirect",
        "retries",
        "rewrite",
        "route",
        "timeout",
    ]
)
_NOT_RAW = {
    "name": "the entry's own name is used",
    "delegate": "a delegate's rules are not known here",
}
MATCH_FIELDS = frozenset(
    [
        "authority",
        "gateways",
        "headers",
        "ignoreUriCase",
        "method",
        "name",
        "port",
        "queryParams",
        "scheme",
        "sourceLabels",
        "sourceNamespace",
        "statPrefix",
        "uri",
        "withoutHeaders",
    ]
)
_STRING_MATCH = ("exact", "prefix", "regex")


def check_admission(spec: Spec) -> list[Diagnostic]:
    """Return what Istio or Envoy would not take of an experiment."""
    return [finding for check in _CHECKS for finding in check(spec)]


def on_mesh(spec: Spec) -> bool:
    """Tell whether the VirtualService applies to sidecars too."""
    route = spec.experiment.route
    # Without gateways they are the owner's, who could not be asked.
    return "mesh" in route.gateways or not (route.gateways or route.splice)


def _hosts(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    seen: dict[str, int] = {}
    for index, host in enumerate(experiment.route.hosts):
        path: Path = ("spec", "route", "hosts", index)
        where = document.span(path)
        problem = host_problem(host, wildcard=True)
        if problem is not None:
            yield diagnose("PIN208", where, path, host=host, problem=problem)
        elif host == "*" and on_mesh(spec):
            yield diagnose("PIN209", where, path)
        elif host.lower() in seen:
            before = document.span(("spec", "route", "hosts", seen[host.lower()]))
            related = (Related(before, "the first one is here"),)
            hint = "remove it: host names have no case"
            yield diagnose(
                "PIN207", where, path, related=related, hint=hint, noun="host", value=host
            )
        seen.setdefault(host.lower(), index)
    for index, gateway in enumerate(experiment.route.gateways):
        path = ("spec", "route", "gateways", index)
        problem = gateway_problem(gateway)
        if problem is not None:
            yield diagnose("PIN216", document.span(path), path, gateway=gateway, problem=problem)


def _destinations(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    for index, version in enumerate(experiment.versions):
        if version.service is None:
            continue
        path: Path = ("spec", "versions", index, "service", "host")
        problem = host_problem(version.service.host, wildcard=False)
        if problem is not None:
            where = document.span(path)
            yield diagnose("PIN208", where, path, host=version.service.host, problem=problem)


def _hash_source(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    source = experiment.user_hash.source
    path: Path = ("spec", "userHash", "from", source.kind)
    where = document.span(path)
    if source.kind == "claim":
        if on_mesh(spec) or experiment.route.delegate:  # a delegate has no gateways of its own
            yield diagnose("PIN220", where, path, claim=source.name)
        parts = source.name.split(".")
        if not all(part and part.replace("_", "a").replace("-", "a").isalnum() for part in parts):
            problem = "a claim is made of letters, digits, '-' and '_', nested by '.'"
            yield diagnose("PIN211", where, path, name=source.name, problem=problem)
        return
    problem_of_name = header_name_problem(source.name)
    if source.name.lower() == "host":
        problem_of_name = "every request has one; it is no user hash"
    if problem_of_name is not None:
        yield diagnose("PIN211", where, path, name=source.name, problem=problem_of_name)
    elif "_" in source.name:
        yield diagnose("PIN212", where, path, name=source.name)


def _http(spec: Spec) -> Iterator[Diagnostic]:
    document, experiment = spec
    closed: str | None = None
    for index, route in enumerate(experiment.route.http):
        base: Path = ("spec", "route", "http", index)
        if closed is not None:
            where = document.span((*base, "name"))
            yield diagnose("PIN226", where, base, name=route.name, before=closed)
        mixed = False
        if route.raw is not None:
            mixed = bool(route.match) or route.timeout is not None or route.retries is not None
            if mixed:
                yield diagnose("PIN224", document.span((*base, "raw"), key=True), (*base, "raw"))
            yield from _raw(spec, (*base, "raw"))
            matches = route.raw.get("match", ())
            match_path: Path = (*base, "raw", "match")
        else:
            matches = route.match
            match_path = (*base, "match")
        if isinstance(matches, list | tuple):
            for number in range(len(matches)):
                yield from _match(spec, (*match_path, number))
        elif matches is not None:
            where = document.span(match_path, key=True)
            problem = "it is a list of matches"
            yield diagnose("PIN225", where, match_path, field="match", problem=problem)
        if _takes_all(matches) and not mixed:
            closed = closed or route.name
        for field in ("timeout",):
            yield from _duration(document, (*base, field))
        yield from _duration(document, (*base, "retries", "perTryTimeout"))


def _takes_all(matches: object) -> bool:
    return not matches or (isinstance(matches, list | tuple) and any(not item for item in matches))


def _duration(document: Document, path: Path) -> Iterator[Diagnostic]:
    node = document.node(path)
    if isinstance(node, Scalar):
        problem = duration_problem(node.text)
        if problem is not None:
            yield diagnose("PIN227", document.span(path), path, value=node.text, problem=problem)


def _raw(spec: Spec, path: Path) -> Iterator[Diagnostic]:
    node = spec.document.node(path)
    if not isinstance(node, Mapping):
        return
    for name in node.entries:
        if name not in ROUTE_FIELDS or name in ("delegate", "name"):
            inner = (*path, name)
            problem = _NOT_RAW.get(name, "Istio's HTTPRoute has no such field")
            hint = "remove it" if name in _NOT_RAW else did_you_mean(name, ROUTE_FIELDS)
            where = spec.document.span(inner, key=True)
            yield diagnose("PIN225", where, inner, hint=hint, field=name, problem=problem)
    if not any(name in node.entries for name in ACTIONS):
        where = spec.document.span(path, key=True)
        problem = "it says neither 'route' nor 'redirect' nor 'directResponse'"
        yield diagnose("PIN225", where, path, field="raw", problem=problem)
    yield from _duration(spec.document, (*path, "timeout"))
    yield from _raw_headers(spec.document, path)
    entries = node.entries.get("route")
    for index in range(len(entries.items) if isinstance(entries, Sequence) else 0):
        yield from _raw_headers(spec.document, (*path, "route", index))


def _raw_headers(document: Document, path: Path) -> Iterator[Diagnostic]:
    """Check the values that a raw rule sets: one of them can freeze the whole gateway port."""
    for side in ("request", "response"):
        for operation in ("set", "add"):
            inner = (*path, "headers", side, operation)
            node = document.node(inner)
            for name, value in node.entries.items() if isinstance(node, Mapping) else ():
                text = value.text if isinstance(value, Scalar) else ""
                problem = header_value_problem(text)
                if problem is not None:
                    place = (*inner, name)
                    where = document.span(place)
                    yield diagnose("PIN213", where, place, name=name, value=text, problem=problem)


def _match(spec: Spec, path: Path) -> Iterator[Diagnostic]:
    """Check one HTTPMatchRequest that the spec passes through."""
    document = spec.document
    node = document.node(path)
    if not isinstance(node, Mapping):
        where = document.span(path)
        yield diagnose("PIN225", where, path, field="match", problem="a match is an object")
        return
    for name, item in node.entries.items():
        inner = (*path, name)
        where = document.span(inner, key=True)
        if name not in MATCH_FIELDS:
            problem = "Istio's HTTPMatchRequest has no such field"
            hint = did_you_mean(name, MATCH_FIELDS)
            yield diagnose("PIN225", where, inner, hint=hint, field=name, problem=problem)
        elif name == "statPrefix":
            problem = "counters are named by output.statPrefixes"
            yield diagnose("PIN225", where, inner, field=name, problem=problem)
        elif name in ("headers", "withoutHeaders", "queryParams"):
            if not isinstance(item, Mapping):
                problem = "it is an object, one entry a name"
                yield diagnose("PIN225", where, inner, field=name, problem=problem)
                continue
            for key, string in item.entries.items():
                place = document.span((*inner, key), key=True)
                if name != "queryParams" and _same_key(key, _hash_key(spec)):
                    yield diagnose("PIN228", place, (*inner, key), name=key)
                elif not isinstance(string, Mapping):
                    problem = "null or text is read as 'present' or 'every request'"
                    yield diagnose("PIN225", place, (*inner, key), field=key, problem=problem)
                else:
                    yield from _string_match(document, (*inner, key), string)
        elif name in ("uri", "scheme", "method", "authority"):
            if isinstance(item, Mapping):
                yield from _string_match(document, inner, item)
            else:
                problem = "it is an object with exact, prefix or regex"
                yield diagnose("PIN225", where, inner, field=name, problem=problem)


def _same_key(key: str, wanted: str) -> bool:
    """Tell whether two keys are one: headers have no case, claims may stand in brackets."""
    if key.startswith("@"):
        return key.replace("[", ".").replace("]", "") == wanted
    return key.lower() == wanted


def _hash_key(spec: Spec) -> str:
    source = spec.experiment.user_hash.source
    return (
        source.name.lower() if source.kind == "header" else f"@request.auth.claims.{source.name}"
    )


def _string_match(document: Document, path: Path, node: Mapping) -> Iterator[Diagnostic]:
    where = document.span(path, key=True)
    field = str(path[-1])
    kinds = [name for name in node.entries if name in _STRING_MATCH]
    problem = None
    if len(kinds) > 1:
        problem = f"it has both {kinds[0]!r} and {kinds[1]!r}"
    elif len(kinds) < len(node.entries):
        problem = "it takes one of exact, prefix and regex"
    elif kinds:
        scalar = node.entries[kinds[0]]
        text = scalar_value(scalar) if isinstance(scalar, Scalar) else None
        if not isinstance(text, str):
            problem = f"{kinds[0]!r} is text"
        elif text == "" and kinds[0] != "exact":
            problem = f"an empty {kinds[0]!r} is refused"
        elif kinds[0] == "regex":
            problem = regex_problem(text)
        elif field == "uri":
            problem = path_problem(text)
    if problem is not None:
        yield diagnose("PIN225", where, path, field=field, problem=problem)


def _headers(spec: Spec) -> Iterator[Diagnostic]:
    yield from check_headers(spec)


_CHECKS: tuple[Callable[[Spec], Iterator[Diagnostic]], ...] = (
    _hosts,
    _destinations,
    _hash_source,
    _http,
    _headers,
)
