"""The rules of a root VirtualService with those of its delegates in their place.

istiod joins the match of the root's rule with each match of the delegate's rule. A
delegate's rule with a match that does not fit below some match of the root is left out
whole, with a line in istiod's log and nothing else (`MergeHTTPRoutes` in
istio/pilot/pkg/model; held by tests/conformance/test_merge.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pinroute.istio.read import MatchItem, ReadRule, read_item, read_rules
from pinroute.istio.resource import Fields, VirtualService, as_list, as_mapping, gateway_key

_TEXTS = ("uri", "scheme", "method", "authority")
_MAPS = ("headers", "withoutHeaders", "queryParams")
# What the root's rule gives where the delegate's says nothing.
_INHERITED = (
    "rewrite",
    "directResponse",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrorPercent",
    "mirrorPercentage",
    "corsPolicy",
    "mirrors",
    "headers",
)


class Dropped(NamedTuple):
    """A rule that istiod leaves out: one of the root (`item` None), or one of its delegate.

    `item` is the delegate's match that fits nowhere, `reason` why.
    """

    root: VirtualService
    rule: ReadRule
    delegate: VirtualService | None
    inner: ReadRule | None
    item: MatchItem | None
    reason: str


class Widened(NamedTuple):
    """A delegate's exclusion that replaces the root's one on the same header."""

    root: VirtualService
    rule: ReadRule
    item: MatchItem
    name: str


class Joined(NamedTuple):
    """The rules of a root in order, and what joining did that nobody is told of."""

    rules: tuple[ReadRule, ...]
    dropped: tuple[Dropped, ...] = ()
    widened: tuple[Widened, ...] = ()


def delegates_of(services: Iterable[VirtualService]) -> Mapping[str, VirtualService]:
    """Return the VirtualServices without hosts, by their keys."""
    return {service.key: service for service in services if not service.hosts}


def joined(
    root: VirtualService, delegates: Mapping[str, VirtualService], header: str | None = None
) -> Joined:
    """Return the rules of a VirtualService as istiod has them."""
    rules: list[ReadRule] = []
    dropped: list[Dropped] = []
    widened: list[Widened] = []
    for rule in read_rules(root.fields, header, number=root.number):
        if not isinstance(rule.fields.get("delegate"), dict):
            rules.append(rule)
            continue
        key = delegate_key(root, rule)
        delegate = delegates.get(key)
        if delegate is None:
            dropped.append(Dropped(root, rule, None, None, None, f"there is no delegate {key}"))
            continue
        if not delegate.seen_in(root.namespace):
            reason = f"{key} is not exported to namespace {root.namespace}"
            dropped.append(Dropped(root, rule, delegate, None, None, reason))
            continue
        for inner in read_rules(delegate.fields, rule.items[0].header, number=delegate.number):
            found = _join(root, rule, delegate, inner)
            if isinstance(found, Dropped):
                dropped.append(found)
            else:
                rules.append(found)
                widened += _widened(root, rule, inner)
    return Joined(tuple(rules), tuple(dropped), tuple(widened))


def delegate_key(root: VirtualService, rule: ReadRule) -> str:
    """Return namespace/name of the delegate that a rule names."""
    delegate = as_mapping(rule.fields.get("delegate"))
    return f"{delegate.get('namespace') or root.namespace}/{delegate.get('name') or ''}"


def _join(
    root: VirtualService, rule: ReadRule, delegate: VirtualService, inner: ReadRule
) -> ReadRule | Dropped:
    outer, own = _matches(rule), _matches(inner)
    if not outer or not own:
        items: Iterable[MatchItem] = inner.items if own or not outer else rule.items
        return _rule(rule, inner, tuple(items))
    merged: list[MatchItem] = []
    for index, match in enumerate(own):
        reasons = []
        for around in outer:
            reason = conflict(around, match, root.namespace, delegate.namespace)
            reasons.append(reason)
            if reason is None:
                item = inner.items[index]
                whole = _merged(around, match, root.namespace, delegate.namespace)
                read = read_item(
                    item.rule, index, whole, item.path, item.header, delegate.namespace
                )
                merged.append(read._replace(service=delegate.number))
        if None not in reasons:
            return Dropped(root, rule, delegate, inner, inner.items[index], str(reasons[0]))
    return _rule(rule, inner, tuple(merged))


def _rule(rule: ReadRule, inner: ReadRule, items: tuple[MatchItem, ...]) -> ReadRule:
    fields = {name: value for name, value in inner.fields.items() if value is not None}
    for name in _INHERITED:
        if name not in fields and rule.fields.get(name) is not None:
            fields[name] = rule.fields[name]
    name = "-".join(part for part in (rule.name, inner.name) if part)
    return inner._replace(name=name, fields=fields, items=items)


def _matches(rule: ReadRule) -> list[Fields]:
    return [as_mapping(match) for match in as_list(rule.fields.get("match"))]


def _merged(root: Fields, own: Fields, outside: str, inside: str) -> Fields:
    merged = {**root, **{name: value for name, value in own.items() if value not in (None, "")}}
    for name in (*_MAPS, "sourceLabels"):
        both = {**as_mapping(root.get(name)), **as_mapping(own.get(name))}
        if both:
            merged[name] = both
    for match, namespace in ((root, outside), (own, inside)):
        if match.get("gateways"):
            merged["gateways"] = _gateways(match, namespace)
    names = [str(match["name"]) for match in (root, own) if match.get("name")]
    return {**merged, "name": "-".join(names)} if names else merged


def conflict(root: Fields, own: Fields, outside: str, inside: str) -> str | None:
    """Return why a delegate's match does not fit below a root's, None if it does.

    `outside` and `inside` are their namespaces.
    """
    for name in _TEXTS:
        reason = _text_conflict(root.get(name), own.get(name))
        if reason is not None:
            return f"{name}: {reason}"
    for field in _MAPS:
        around = as_mapping(root.get(field))
        for name, match in as_mapping(own.get(field)).items():
            reason = _text_conflict(around.get(name), match)
            if reason is not None:
                return f"{field}.{name}: {reason}"
    return _place_conflict(root, own, outside, inside)


def _place_conflict(root: Fields, own: Fields, outside: str, inside: str) -> str | None:
    if bool(root.get("ignoreUriCase")) != bool(own.get("ignoreUriCase")):
        return "ignoreUriCase differs"
    if root.get("port") and own.get("port") and root["port"] != own["port"]:
        return f"port {own['port']} is not the root's {root['port']}"
    namespace = root.get("sourceNamespace")
    if namespace and own.get("sourceNamespace") != namespace:
        return f"the root's sourceNamespace {namespace} has to be repeated"
    labels = as_mapping(root.get("sourceLabels"))
    for name, value in as_mapping(own.get("sourceLabels")).items():
        if name in labels and labels[name] != value:
            return f"sourceLabels.{name}: {value!r} is not the root's {labels[name]!r}"
    around, gateways = _gateways(root, outside), _gateways(own, inside)
    if around and gateways and (len(around) < len(gateways) or set(gateways) - set(around)):
        return "the root's match has not all of its gateways"
    return None


def _gateways(match: Fields, namespace: str) -> list[str]:
    return [gateway_key(str(name), namespace) for name in as_list(match.get("gateways"))]


def _text_conflict(root: object, own: object) -> str | None:
    """Return why one StringMatch does not fit below another; istiod compares texts only."""
    if root is None or own is None:
        return None
    around, match = as_mapping(root), as_mapping(own)
    if around.get("regex") and any(match.values()):
        return "the root has a regular expression, below which nothing fits"
    if match.get("regex") and any(around.values()):
        return "a regular expression fits below no match of the root"
    exact, prefix = around.get("exact"), around.get("prefix")
    if exact:
        fits = not match.get("prefix") and match.get("exact") == exact
        return None if fits else f"it is not exactly {exact!r}, as the root's"
    if prefix and (match.get("prefix") or match.get("exact")):
        text = str(match.get("prefix") or match.get("exact"))
        fits = text.startswith(str(prefix))
        return None if fits else f"{text!r} does not begin with the root's {prefix!r}"
    return "presence fits below no match of the root, and nothing fits below the root's presence"


def _widened(root: VirtualService, rule: ReadRule, inner: ReadRule) -> Iterator[Widened]:
    for around in _matches(rule):
        excluded = as_mapping(around.get("withoutHeaders"))
        for index, match in enumerate(_matches(inner)):
            for name, own in as_mapping(match.get("withoutHeaders")).items():
                if name in excluded and own != excluded[name]:
                    yield Widened(root, rule, inner.items[index], name)
