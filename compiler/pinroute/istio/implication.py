"""Does every request that satisfies one condition satisfy another? Conditions without the hash.

Said only where it is sure: a regular expression implies itself, and what takes anything.
"""

from pinroute.istio.evaluate import string_matches
from pinroute.istio.read import MAP_FIELDS, STRING_FIELDS
from pinroute.istio.regex import full_match, regex_problem
from pinroute.istio.resource import Fields, as_mapping

EXCLUDED = "withoutHeaders"
PRESENT = {"regex": "*"}  # what istiod takes for presence
ANYTHING = frozenset({"(?s).*", "[\\s\\S]*", ".*", "(.*)"})


def follows(narrow: Fields, wide: Fields) -> bool:
    """Tell whether every request that satisfies `narrow` satisfies `wide`."""
    for name in STRING_FIELDS:
        condition = wide.get(name)
        if not isinstance(condition, dict) or not condition:
            continue
        if name == "uri" and condition in ({"prefix": "/"}, {"regex": ".*"}):
            continue
        given = narrow.get(name)
        if not isinstance(given, dict) or not given:
            return False
        if name == "uri" and bool(narrow.get("ignoreUriCase")) != bool(wide.get("ignoreUriCase")):
            return False
        anycase = name == "uri" and bool(wide.get("ignoreUriCase"))
        if not implies(
            folded(given) if anycase else given, folded(condition) if anycase else condition
        ):
            return False
    for name in MAP_FIELDS:
        for key, condition in as_mapping(wide.get(name)).items():
            given = as_mapping(narrow.get(name)).get(key)
            if not isinstance(given, dict) or not isinstance(condition, dict):
                return False
            fine = _keeps_out(given, condition) if name == EXCLUDED else implies(given, condition)
            if not fine:
                return False
    return _there(narrow, wide)


def _keeps_out(given: Fields, condition: Fields) -> bool:
    """Tell whether an exclusion keeps out all that another one does.

    A header that is missing counts as empty, except where presence is excluded.
    """
    if given and given != PRESENT:
        return implies({} if condition == PRESENT else condition, given)
    if condition in ({}, PRESENT):
        return True
    regex = condition.get("regex")
    sure = regex is None or regex_problem(str(regex)) is None
    return sure and not string_matches(condition, "")


def _there(narrow: Fields, wide: Fields) -> bool:
    """Tell whether `wide` is there at every listener where `narrow` is."""
    if wide.get("port") and wide["port"] != narrow.get("port"):
        return False
    gateways = narrow.get("gateways") or ()
    if wide.get("gateways"):
        return bool(gateways) and set(gateways) <= set(wide["gateways"])
    labels, namespace = wide.get("sourceLabels") or {}, wide.get("sourceNamespace")
    if gateways:
        return not labels and not namespace  # beside gateways istiod does not look at the source
    given = narrow.get("sourceLabels") or {}
    return namespace in (None, "", narrow.get("sourceNamespace")) and all(
        given.get(name) == value for name, value in labels.items()
    )


def folded(match: Fields) -> Fields:
    """Return a StringMatch in lower case."""
    return {kind: str(text).lower() for kind, text in match.items()}


def implies(given: Fields, condition: Fields) -> bool:
    """Tell whether a value that satisfies one StringMatch satisfies another."""
    if not condition or given == condition:
        return True
    exact = given.get("exact")
    if isinstance(exact, str):
        if "prefix" in condition:
            return exact.startswith(str(condition["prefix"]))
        return "regex" in condition and matches(str(condition["regex"]), exact)
    prefix = given.get("prefix")
    if isinstance(prefix, str) and "prefix" in condition:
        return prefix.startswith(str(condition["prefix"]))
    return str(condition.get("regex")) in ANYTHING


def matches(regex: str, text: str) -> bool:
    """Tell whether a regular expression, if it is one, takes a text."""
    return regex_problem(regex) is None and full_match(regex, text)
