"""Rules and match items that no request reaches, and requests that no rule takes."""

from collections.abc import Iterator

from pinroute.checks.target import Target
from pinroute.diagnostics import Diagnostic, Related, diagnose
from pinroute.istio.cover import dead_items, takes_everything
from pinroute.istio.read import MatchItem, ReadRule


def after_catch_all(target: Target) -> Iterator[Diagnostic]:
    """Find rules behind one that takes everything: istiod leaves them out, often silently."""
    closed: tuple[ReadRule, MatchItem] | None = None
    for rule in target.rules:
        if closed is not None:
            first, item = closed
            path = item.path
            form = "" if not _disguised(target, first) else ", although it looks like a match"
            related = (Related(target.document.span(path), "this takes every request" + form),)
            yield diagnose(
                "PIN302",
                target.document.span(rule.path),
                rule.path,
                related=related,
                rule=rule.label,
                by=first.label,
            )
            continue
        everything = next((item for item in rule.items if takes_everything(item)), None)
        if everything is not None:
            closed = rule, everything


def _disguised(target: Target, rule: ReadRule) -> bool:
    return target.document.node((*rule.path, "match")) is not None


def dead_matches(target: Target) -> Iterator[Diagnostic]:
    """Find match items that earlier ones cover: shadowed prefixes, repeated matches."""
    live: list[MatchItem] = []
    for rule in target.rules:
        live += rule.items
        if any(takes_everything(item) for item in rule.items):
            break
    labels = {rule.number: rule.label for rule in target.rules}
    for dead in dead_items(live):
        by = dead.by
        related = (Related(target.document.span(by.path), "this takes all of its requests"),)
        yield diagnose(
            "PIN301",
            target.document.span(dead.item.path),
            dead.item.path,
            related=related,
            item=_shown(dead.item),
            rule=labels[dead.item.rule],
            other=_shown(by),
            by=labels[by.rule],
        )


def _shown(item: MatchItem) -> str:
    """Return what an item says about its header, or else its place."""
    if item.value:
        kind, text = next(iter(item.value.items()))
        return f"{item.header} {kind} {text!r}"
    return f"match {item.item}"


def no_default(target: Target) -> Iterator[Diagnostic]:
    """Find VirtualServices that answer 404 to whoever matches no rule."""
    if not target.rules or target.is_delegate:
        return  # without hosts it is a delegate, and its root decides
    if any(takes_everything(item) for rule in target.rules for item in rule.items):
        return
    if any("delegate" in rule.fields for rule in target.rules):
        return
    last = target.rules[-1]
    where = "the mesh" if target.on_mesh else "the gateway"
    yield diagnose("PIN309", target.document.span(last.path), last.path, where=where)
