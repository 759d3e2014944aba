"""A live VirtualService of an experiment as a state: what a plan starts from in a cluster."""

import json
import re
from collections.abc import Mapping

from pinroute.istio.emit import match_key, string_match
from pinroute.istio.read import MatchItem, read_item, read_rules
from pinroute.istio.resource import Fields, namespace_of
from pinroute.istio.routelist import ANY, PRESENT, Item, RouteList, Values, action
from pinroute.spec.model import Experiment
from pinroute.stages.stage import Stage
from pinroute.stages.state import State, state_of


class UnknownRules(Exception):
    """Rules that the spec does not know, or cannot be read exactly; the message says which."""


def live_state(
    experiment: Experiment, stage: Stage, service: Fields, serves: Mapping[str, str]
) -> State:
    """Return the state that a live VirtualService makes for the entries of `route.http`.

    `stage` is any stage of the spec: it tells the conditions of the entries. `serves` is
    what each place (`state.place_name`) really serves. Raises UnknownRules where somebody
    has written rules with other conditions among ours, has changed their order, or where
    users would be unrouted.
    In the file of another owner only our rules are looked at.
    """
    key, namespace = match_key(stage.routes.source), namespace_of(service)
    own = f"pin/{experiment.name}/" if experiment.route.splice else ""
    owners: dict[str, str] = {}
    for item in stage.routes.items:
        known = read_item(0, 0, dict(item.condition), (), "", namespace)
        owners.setdefault(_text(known.residual), item.route)
    found: dict[str, dict[str, list[Item]]] = {route: {} for route in stage.tables}
    order: list[str] = []
    for rule in read_rules(service, key):
        if not rule.name.startswith(own):
            continue
        fields = {
            name: body for name, body in rule.fields.items() if name not in ("name", "match")
        }
        act = action(fields)
        for match in rule.items:
            text = _text(match.residual)
            if text not in owners:
                raise UnknownRules(f"rule {rule.label} has conditions that the spec does not know")
            if order[-1:] != [owners[text]]:
                order.append(owners[text])
            if owners[text] in found:
                values = _values(match, stage.routes, rule.label)
                one = Item(match.residual, values, act, owners[text], rule.name, "")
                found[owners[text]].setdefault(text, []).append(one)
    rules: dict[str, list[Item]] = {}
    for route, by_condition in found.items():
        if not by_condition:
            raise UnknownRules(f"route {route!r} has no rule" if route else "there is no rule")
        first, *others = by_condition.values()
        if any(_said(other) != _said(first) for other in others):
            raise UnknownRules(f"the conditions of route {route!r} lead to different versions")
        rules[route] = first
    if order != stage.routes.routes():
        raise UnknownRules("its rules stand in another order than those of the spec")
    try:
        return state_of(experiment, rules, serves)
    except ValueError as error:
        raise UnknownRules(str(error)) from None


def _values(item: MatchItem, routes: RouteList, rule: str) -> Values:
    """Return the values of the user hash that a match takes, as a stage would have written it."""
    if item.value is None:
        return ANY
    kind, text = next(((kind, str(text)) for kind, text in item.value.items()), ("", ""))
    literal = re.match(r"(?:\\.|[0-9A-Za-z])*", text)
    read = {
        "prefix": Values("prefix", text),
        "exact": Values("hashes", text),
        "regex": Values("hashes", re.sub(r"\\(.)", r"\1", literal[0] if literal else "")),
    }
    universe = routes.universe
    for values in (PRESENT, read.get(kind, PRESENT)):
        known = len(values.prefix) <= universe.digits and set(values.prefix) <= set(
            universe.alphabet
        )
        if known and string_match(values, universe, routes.source) == item.value:
            return values
    raise UnknownRules(f"rule {rule} looks at the user hash as no stage does: {dict(item.value)}")


def _said(items: list[Item]) -> list[tuple[Values, str]]:
    return [(item.values, item.action.outcome) for item in items]


def _text(condition: Fields) -> str:
    return json.dumps(condition, sort_keys=True, default=str)
