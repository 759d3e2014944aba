"""Rules and match items that no request reaches, and requests that no rule takes."""

from collections.abc import Iterable, Iterator

from pinroute.checks.target import Target
from pinroute.diagnostics import Diagnostic, Related, diagnose
from pinroute.istio.cover import Dead, dead_items, takes_everything
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
        if "delegate" in rule.fields:
            continue  # what it takes is decided by its delegate: PIN319
        everything = next((item for item in rule.items if takes_everything(item)), None)
        if everything is not None:
            closed = rule, everything


def _disguised(target: Target, rule: ReadRule) -> bool:
    return target.document.node((*rule.path, "match")) is not None


def dead_matches(target: Target) -> Iterator[Diagnostic]:
    """Find match items that earlier ones cover: shadowed prefixes, repeated matches."""
    labels = {rule.number: rule.label for rule in target.rules}
    for dead in dead_alone(target.rules):
        by = dead.by
        related = (Related(target.document.span(by.path), "this takes all of its requests"),)
        yield diagnose(
            "PIN301",
            target.document.span(dead.item.path),
            dead.item.path,
            related=related,
            item=shown(dead.item),
            rule=labels[dead.item.rule],
            other=shown(by),
            by=labels[by.rule],
        )


def dead_alone(rules: Iterable[ReadRule]) -> Iterator[Dead]:
    """Yield the dead items before the first catch-all, as far as one VirtualService shows them."""
    live: list[MatchItem] = []
    for rule in rules:
        if "delegate" in rule.fields:
            continue  # what it takes is decided by its delegate: PIN319
        live += rule.items
        if any(takes_everything(item) for item in rule.items):
            break
    return dead_items(live)


def shown(item: MatchItem) -> str:
    """Return what an item says about its header, or else its place."""
    if item.value:
        kind, text = next(iter(item.value.items()))
        return f"{item.header} {kind} {text!r}"
    return f"match {item.item}"
