"""What Istio refuses of a rule: what it does, and the settings that go with that."""

from collections.abc import Iterator
from typing import NamedTuple

from pinroute.checks.target import Target
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.istio.limits import header_name_problem, nanoseconds
from pinroute.istio.regex import regex_problem
from pinroute.spec.nodes import Mapping, Node, Scalar, Sequence, at
from pinroute.spec.scalars import scalar_value

SIMPLE = frozenset(["headers", "match", "name", "route", "timeout"])  # nothing more to ask
ACTIONS = ("route", "redirect", "directResponse", "delegate")
METHODS = frozenset("GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE *".split())
RETRY_ON = frozenset(
    """
    5xx gateway-error reset reset-before-request connect-failure retriable-4xx refused-stream
    retriable-status-codes retriable-headers envoy-ratelimited http3-post-connect-failure
    cancelled deadline-exceeded internal resource-exhausted unavailable
    """.split()
)
STATUS = frozenset(
    [
        *(*range(100, 104), *range(200, 209), 226, *range(300, 306), 307, 308),
        *(*range(400, 419), *range(421, 427), 428, 429, 431, 451, *range(500, 509), 510, 511),
    ]
)
REDIRECTS = (0, 301, 302, 303, 307, 308)  # Istio takes every 3xx, and Envoy then refuses
WRITTEN = (  # into the head of a request or an answer
    ("redirect", "uri"),
    ("redirect", "authority"),
    ("redirect", "prefixRewrite"),
    ("rewrite", "uri"),
    ("rewrite", "authority"),
)
GRPC_STATUS = frozenset(
    """
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
    PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED
    INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED
    """.split()
)
MAX_BODY = 1024 * 1024


class Problem(NamedTuple):
    """Why Istio refuses a rule, and the steps from the rule to the place."""

    steps: Path
    text: str


def actions(target: Target) -> Iterator[Diagnostic]:
    """Find rules that do nothing or too much, and settings that Istio refuses."""
    document = target.document
    spec = document.node(("spec",))
    if isinstance(spec, Mapping) and not any(
        _is_given(spec, name) for name in ("http", "tcp", "tls")
    ):
        where = document.span(("spec",), key=True)
        yield diagnose("PIN103", where, ("spec",), parent="spec", field="http")
    for rule in target.rules:
        node = target.entries[rule.number]
        if not isinstance(node, Mapping):
            continue
        for steps, text in _problems(node, delegate=target.is_delegate):
            path = (*rule.path, *steps)
            names = ".".join(str(step) for step in steps)
            hint = f"change or remove {names}" if steps else None
            where = document.span(path, key=bool(steps))
            yield diagnose("PIN314", where, path, hint=hint, rule=rule.label, problem=text)


def _problems(rule: Mapping, *, delegate: bool) -> Iterator[Problem]:
    given = [name for name in ACTIONS if _has(rule, name)]
    if not given:
        yield Problem((), "it says neither route nor redirect, directResponse or delegate")
    elif len(given) > 1:
        yield Problem((), f"{given[0]} and {given[1]} exclude each other")
    if rule.entries.keys() <= SIMPLE:
        return
    if delegate and "delegate" in given:
        yield Problem(("delegate",), "a delegate has no delegate of its own")
    for action in ("redirect", "directResponse"):
        for other in ("fault", "rewrite"):
            if action in given and "delegate" not in given and _has(rule, other):
                yield Problem((other,), f"{other} and {action} exclude each other")
    if _has(rule, "mirror") and _has(rule, "mirrors"):
        yield Problem(("mirrors",), "mirror and mirrors exclude each other")
    for steps in WRITTEN:
        if any(char in _text(rule, *steps) for char in "\r\n\0"):
            yield Problem(steps, "Envoy refuses a line break in it, and with it the whole port")
    yield from _redirect(rule)
    yield from _direct_response(rule)
    yield from _rewrite(rule)
    yield from _retries(rule)
    yield from _fault(rule)
    yield from _cors(rule)
    yield from _mirrors(rule)


def _has(rule: Mapping, name: str) -> bool:
    """Tell whether a field is there for Istio: a null or an empty list is not."""
    node = rule.entries.get(name)
    if isinstance(node, Sequence):
        return bool(node.items)
    return node is not None and not (isinstance(node, Scalar) and _value(node) is None)


def _is_given(spec: Mapping, name: str) -> bool:
    """Tell whether there are rules, or something else that is refused already."""
    node = spec.entries.get(name)
    return node is not None and not (isinstance(node, Sequence) and not node.items)


def _value(node: Node | None) -> object:
    return scalar_value(node) if isinstance(node, Scalar) else None


def _text(node: Node | None, *steps: str) -> str:
    """Return a text; empty where there is none, as for Istio."""
    found = at(node, *steps)
    return found.text if isinstance(found, Scalar) and _value(found) is not None else ""


def _number(node: Node | None, *steps: str) -> float | None:
    found = _value(at(node, *steps))
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _redirect(rule: Mapping) -> Iterator[Problem]:
    node = rule.entries.get("redirect")
    if not isinstance(node, Mapping):
        return
    uri, prefix = _text(node, "uri"), _text(node, "prefixRewrite")
    if uri and prefix:
        yield Problem(("redirect", "prefixRewrite"), "uri and prefixRewrite exclude each other")
    port = "port" in node.entries or "derivePort" in node.entries
    if not (uri or prefix or port or _text(node, "authority") or _text(node, "scheme")):
        yield Problem(("redirect",), "a redirect names a uri, an authority, a scheme or a port")
    if prefix and any(
        kind in found.entries
        for found in _uris(rule)
        for kind in ("exact", "regex")
        if isinstance(found, Mapping)
    ):
        problem = "prefixRewrite needs a prefix in every match on the uri"
        yield Problem(("redirect", "prefixRewrite"), problem)
    code = _number(node, "redirectCode")
    if code is not None and code not in REDIRECTS:
        problem = f"{code} is no code for a redirect: 301, 302, 303, 307 and 308 are"
        yield Problem(("redirect", "redirectCode"), problem)
    if _text(node, "scheme") not in ("", "http", "https"):
        yield Problem(("redirect", "scheme"), "the scheme of a redirect is http or https")
    if (number := _number(node, "port")) is not None and 65535 < number < 2**32:
        yield Problem(("redirect", "port"), f"{number} is no port")


def _uris(rule: Mapping) -> list[Node | None]:
    matches = rule.entries.get("match")
    items = matches.items if isinstance(matches, Sequence) else []
    return [at(item, "uri") for item in items]


def _direct_response(rule: Mapping) -> Iterator[Problem]:
    node = rule.entries.get("directResponse")
    status = _number(node, "status")
    if status is not None and not 200 <= status <= 599:
        yield Problem(("directResponse", "status"), f"{status} is no status: 200 to 599 are")
    if len(_text(node, "body", "string").encode()) > MAX_BODY:
        yield Problem(("directResponse", "body"), "a body has at most 1 MiB")


def _rewrite(rule: Mapping) -> Iterator[Problem]:
    node = rule.entries.get("rewrite")
    if not isinstance(node, Mapping):
        return
    regex = node.entries.get("uriRegexRewrite")
    if _text(node, "uri") and isinstance(regex, Mapping):
        yield Problem(("rewrite", "uri"), "uri and uriRegexRewrite exclude each other")
    if not (_text(node, "uri") or isinstance(regex, Mapping) or _text(node, "authority")):
        yield Problem(("rewrite",), "a rewrite names a uri, a uriRegexRewrite or an authority")
    if isinstance(regex, Mapping):
        steps: Path = ("rewrite", "uriRegexRewrite")
        if not (_text(regex, "match") and _text(regex, "rewrite")):
            yield Problem(steps, "it needs both match and rewrite")
        elif (problem := regex_problem(_text(regex, "match"))) is not None:
            yield Problem((*steps, "match"), problem)


def _retries(rule: Mapping) -> Iterator[Problem]:
    node = rule.entries.get("retries")
    if not isinstance(node, Mapping):
        return
    attempts = _number(node, "attempts") or 0
    if attempts < 0:
        yield Problem(("retries", "attempts"), f"{attempts} attempts are fewer than none")
    if attempts == 0:
        for name in ("perTryTimeout", "retryOn", "retryRemoteLocalities"):
            if _has(node, name) and (name != "retryOn" or _text(node, name)):
                yield Problem(("retries", name), "it means nothing with 0 attempts")
    words = _text(node, "retryOn").split(",") if _text(node, "retryOn") else []
    for word in words:
        if word not in RETRY_ON and not _is_status(word):
            yield Problem(("retries", "retryOn"), f"{word!r} is nothing to retry on")


def _is_status(word: str) -> bool:
    """Tell whether Go's library has a name for a status."""
    number = word.removeprefix("+")
    return number.isascii() and number.isdecimal() and len(number) < 10 and int(number) in STATUS


def _fault(rule: Mapping) -> Iterator[Problem]:
    node = rule.entries.get("fault")
    if not isinstance(node, Mapping):
        return
    abort, delay = node.entries.get("abort"), node.entries.get("delay")
    if not isinstance(abort, Mapping) and not isinstance(delay, Mapping):
        yield Problem(("fault",), "a fault has an abort, a delay or both")
    for name in ("abort", "delay"):
        percent = _number(node, name, "percentage", "value")
        if percent is not None and percent != 0 and not 0.0001 <= percent <= 100:
            steps: Path = ("fault", name, "percentage")
            yield Problem(steps, f"{percent} is no percentage: 0, or 0.0001 to 100, is")
    status = _number(abort, "httpStatus")
    if status is not None and not 200 <= status <= 599:
        yield Problem(("fault", "abort", "httpStatus"), f"{status} is no status: 200 to 599 are")
    grpc = at(abort, "grpcStatus")
    if isinstance(grpc, Scalar) and _value(grpc) is not None and grpc.text not in GRPC_STATUS:
        yield Problem(("fault", "abort", "grpcStatus"), f"gRPC has no status {grpc.text!r}")
    for name, inner in (("http2Error", abort), ("exponentialDelay", delay)):
        if _value(at(inner, name)) is not None:
            steps = ("fault", "abort" if inner is abort else "delay", name)
            yield Problem(steps, f"Istio does not support {name}")


def _cors(rule: Mapping) -> Iterator[Problem]:
    node = rule.entries.get("corsPolicy")
    for index, origin in enumerate(_items(node, "allowOrigins")):
        steps: Path = ("corsPolicy", "allowOrigins", index)
        if isinstance(origin, Mapping) and not any(
            _text(origin, kind) for kind in ("exact", "prefix", "regex")
        ):
            yield Problem(steps, "an origin has one of exact, prefix and regex, not empty")
        regex = _text(origin, "regex")
        problem = regex_problem(regex) if regex else None
        if problem is not None:
            yield Problem(steps, problem)
    for index, method in enumerate(_items(node, "allowMethods")):
        if isinstance(method, Scalar) and method.text not in METHODS:
            yield Problem(("corsPolicy", "allowMethods", index), f"no method {method.text!r}")
    for field in ("allowHeaders", "exposeHeaders"):
        for index, name in enumerate(_items(node, field)):
            problem = header_name_problem(name.text) if isinstance(name, Scalar) else None
            if problem is not None:
                yield Problem(("corsPolicy", field, index), problem)
    if nanoseconds(_text(node, "maxAge")) % 10**9:
        yield Problem(("corsPolicy", "maxAge"), "it is told in whole seconds")


def _items(node: Node | None, *steps: str) -> list[Node]:
    found = at(node, *steps)
    return found.items if isinstance(found, Sequence) else []


def _mirrors(rule: Mapping) -> Iterator[Problem]:
    percents: list[tuple[Path, float | None]] = [
        (("mirrorPercent",), _number(rule, "mirrorPercent")),
        (("mirrorPercentage", "value"), _number(rule, "mirrorPercentage", "value")),
    ]
    for index, mirror in enumerate(_items(rule, "mirrors")):
        percent = _number(mirror, "percentage", "value")
        percents.append((("mirrors", index, "percentage"), percent))
    for steps, percent in percents:
        if percent is not None and not 0 <= percent <= 100:
            yield Problem(steps, f"{percent} is no percentage: 0 to 100 is")
