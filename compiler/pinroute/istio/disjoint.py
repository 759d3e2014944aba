"""Is it sure that no request satisfies both of two match items?"""

from pinroute.istio.implication import folded, implies
from pinroute.istio.read import STRING_FIELDS, MatchItem
from pinroute.istio.regex import full_match, regex_problem
from pinroute.istio.resource import Fields, as_mapping


def disjoint(one: MatchItem, other: MatchItem) -> bool:
    """Tell whether it is sure that no request satisfies both items; each header comes once.

    Where a regular expression hides it, it is not sure.
    """
    first, second = one.residual, other.residual
    if one.value is not None and other.value is not None and _exclude(one.value, other.value):
        return True
    for name in STRING_FIELDS:
        anycase = name == "uri" and (first.get("ignoreUriCase") or second.get("ignoreUriCase"))
        pair = [as_mapping(match.get(name)) for match in (first, second)]
        if anycase:  # a regular expression does not follow ignoreUriCase
            pair = [{} if "regex" in match else folded(match) for match in pair]
        if _exclude(*pair):
            return True
    for name in ("headers", "queryParams"):
        for key, match in as_mapping(first.get(name)).items():
            if _exclude(as_mapping(match), as_mapping(as_mapping(second.get(name)).get(key))):
                return True
    return _kept_out(first, second) or _kept_out(second, first) or _elsewhere(first, second)


def _exclude(one: Fields, other: Fields) -> bool:
    """Tell whether it is sure that no value satisfies two StringMatches."""
    for given, condition in ((one, other), (other, one)):
        exact = given.get("exact")
        if isinstance(exact, str) and "regex" in condition:
            regex = str(condition["regex"])
            return regex_problem(regex) is None and not full_match(regex, exact)
        if isinstance(exact, str) and ("exact" in condition or "prefix" in condition):
            return not implies(given, condition)
    prefixes = [str(match["prefix"]) for match in (one, other) if "prefix" in match]
    if len(prefixes) < 2:
        return False
    return not (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))


def _kept_out(one: Fields, other: Fields) -> bool:
    """Tell whether a header that one demands is one that the other excludes."""
    demanded = as_mapping(one.get("headers"))
    return any(
        key.lower() in demanded and implies(as_mapping(demanded[key.lower()]), as_mapping(match))
        for key, match in as_mapping(other.get("withoutHeaders")).items()
    )


def _elsewhere(one: Fields, other: Fields) -> bool:
    """Tell whether two items are at different places: ports, gateways, sources."""
    if one.get("port") and other.get("port") and one["port"] != other["port"]:
        return True
    here, there = one.get("gateways"), other.get("gateways")
    if here and there:
        return not set(here) & set(there)
    # Beside gateways istiod does not look at the source.
    sources = (one.get("sourceNamespace"), other.get("sourceNamespace"))
    return not here and not there and all(sources) and sources[0] != sources[1]
