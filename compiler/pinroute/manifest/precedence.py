"""What the rules of an experiment and those of an owner take from each other: first match wins.

The proof of a splice is that no rule of the owner's in front of ours can take a request
of ours. Where that is not sure, or is not so, and where the owner's rules are left
without requests, it is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pinroute.diagnostics import Diagnostic, Related, diagnose
from pinroute.istio.cover import dead_items
from pinroute.istio.disjoint import disjoint
from pinroute.istio.emit import match_key
from pinroute.istio.read import MatchItem, ReadRule, read_rules
from pinroute.manifest.owner import FILE, Owner, service_in
from pinroute.spec.meaning import Spec

SHOWN = 3


def check_precedence(
    spec: Spec, owner: Owner, after: Mapping[str, Any], others: Sequence[str] = ()
) -> Iterator[Diagnostic]:
    """Yield what two sides take from each other in a VirtualService with the rules in it.

    `others` are the prefixes of further rules that were not in the owner's text.
    """
    experiment = spec.experiment
    prefix = f"pin/{experiment.name}/"
    rules = read_rules(after, match_key(experiment.user_hash.source))
    ours = [rule for rule in rules if rule.name.startswith(prefix)]
    if not ours:
        return
    places = _places(owner, rules, (prefix, *others))
    first = [rule for rule in rules if rule.number < ours[0].number]
    yield from _in_front(spec, first, ours, places)
    yield from _behind(spec, rules, ours, places)


class _There(NamedTuple):
    """How a rule of the owner's is called in the file as it is now, and where it stands."""

    label: str
    related: tuple[Related, ...]


def _places(owner: Owner, rules: Sequence[ReadRule], made: tuple[str, ...]) -> dict[int, _There]:
    """Return what is known of each rule; those that are not the owner's have no place in it."""
    now = read_rules(service_in(owner.text, owner))
    kept = [rule for rule in now if not rule.name.startswith(made)]
    theirs = [rule for rule in rules if not rule.name.startswith(made)]
    found = {rule.number: _There(rule.label, ()) for rule in rules}
    for rule, there in zip(theirs, kept, strict=True):
        span = owner.document.span(there.path)
        found[rule.number] = _There(there.label, (Related(span, "the owner's rule is here"),))
    return found


def _in_front(
    spec: Spec,
    first: Sequence[ReadRule],
    ours: Sequence[ReadRule],
    places: Mapping[int, _There],
) -> Iterator[Diagnostic]:
    """Find owner's rules that take requests of the experiment before its own rules can."""
    where = spec.document.span(FILE)
    own = [item for rule in ours for item in rule.items]
    names = {rule.number: rule.name for rule in ours}
    front = [item for rule in first for item in rule.items]
    taken: dict[int, list[str]] = {}
    for dead in dead_items([*front, *own]):
        if dead.item.rule in names and dead.by.rule not in names:
            taken.setdefault(dead.by.rule, []).append(names[dead.item.rule])
    # Of each condition, the item that takes whatever hash there is stands for the others.
    whole = [item for item in own if item.value is None]
    for rule in first:
        label, related = places[rule.number]
        if rule.number in taken:
            shown = _listed(taken[rule.number])
            yield diagnose("PIN259", where, FILE, related=related, rule=label, taken=shown)
            continue
        met = [
            names[item.rule]
            for item in whole
            if not all(disjoint(item, other) for other in rule.items)
        ]
        if met:
            shown = _listed(met)
            yield diagnose("PIN260", where, FILE, related=related, rule=label, taken=shown)


def _behind(
    spec: Spec,
    rules: Sequence[ReadRule],
    ours: Sequence[ReadRule],
    places: Mapping[int, _There],
) -> Iterator[Diagnostic]:
    """Find owner's rules that get no request any more, and did before."""
    where = spec.document.span(FILE)
    names = {rule.number: rule.name for rule in ours}
    theirs = [rule for rule in rules if rule.number not in names]
    alone = {_key(dead.item) for dead in dead_items([i for rule in theirs for i in rule.items])}
    now = {
        _key(dead.item): dead.by
        for dead in dead_items([item for rule in rules for item in rule.items])
        if _key(dead.item) not in alone and dead.by.rule in names
    }
    for rule in theirs:
        live = [item for item in rule.items if _key(item) not in alone]
        dead = [item for item in live if _key(item) in now]
        if not dead:
            continue
        by = names[now[_key(dead[0])].rule]
        whole = len(dead) == len(live)
        subjects = [""] if whole else [f"match {item.item} of " for item in dead]
        for subject in subjects:
            yield diagnose(
                "PIN261",
                where,
                FILE,
                related=places[rule.number].related,
                item=f"{subject}rule {places[rule.number].label}",
                by=by,
            )


def _key(item: MatchItem) -> tuple[int, int]:
    return item.rule, item.item


def _listed(names: Sequence[str]) -> str:
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(repr(name) for name in known[:SHOWN]) + more
