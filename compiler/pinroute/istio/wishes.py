"""What a request needs in order to satisfy a condition, field by field."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import NamedTuple

from pinroute.istio.evaluate import string_matches
from pinroute.istio.resource import Fields

Field = tuple[str, str]  # ("uri", ""), ("headers", name), ("queryParams", name), ("port", "") …
Texts = Mapping[Field, str]

URI, METHOD, SCHEME, AUTHORITY = ("uri", ""), ("method", ""), ("scheme", ""), ("authority", "")
GATEWAY, PORT, NAMESPACE = ("gateway", ""), ("port", ""), ("namespace", "")
_PSEUDO = {":path": URI, ":method": METHOD, ":scheme": SCHEME, ":authority": AUTHORITY}


class Wish(NamedTuple):
    """What a request needs to satisfy a condition, or (`place` -1) to be outside of one."""

    place: int
    held: Mapping[Field, Fields]
    excluded: Mapping[Field, Fields] = {}
    folded: bool = False
    gateways: tuple[str, ...] = ()
    exact: Mapping[Field, str] = {}

    @property
    def head(self) -> str | None:
        """The text that the path begins with, "" if it is not known, None if none matters."""
        match = self.held.get(URI)
        if match is None:
            return None
        return "" if self.folded or "regex" in match else plain_text(match)

    @property
    def group(self) -> str:
        """A name that wishes share of which no two can be granted, "" for none.

        They are for different texts of one field, and alike in everything else.
        """
        apart = [field for field in self.held if field != URI]
        if len(apart) != 1 or apart[0] not in self.exact or self.excluded or self.folded:
            return ""
        return repr((self.held.get(URI), apart[0], self.gateways))


def wish_of(place: int, condition: Fields) -> Wish:
    """Return what a request needs to satisfy a condition."""
    held: dict[Field, Fields] = {}
    excluded: dict[Field, Fields] = {}
    for field in ("uri", "method", "scheme", "authority"):
        # Every path begins with a slash.
        if condition.get(field) and (field != "uri" or condition[field] != {"prefix": "/"}):
            held[field, ""] = condition[field]
    for name, match in (condition.get("headers") or {}).items():
        held[_header(str(name))] = match or {}
    for name, match in (condition.get("withoutHeaders") or {}).items():
        excluded[_header(str(name))] = match or {}
    for name, match in (condition.get("queryParams") or {}).items():
        held["queryParams", str(name)] = match or {}
    for name, text in (condition.get("sourceLabels") or {}).items():
        held["labels", str(name)] = {"exact": str(text)}
    if condition.get("port"):
        held[PORT] = {"exact": str(condition["port"])}
    if condition.get("sourceNamespace"):
        held[NAMESPACE] = {"exact": str(condition["sourceNamespace"])}
    gateways = tuple(str(name) for name in condition.get("gateways") or ())
    folded = bool(condition.get("ignoreUriCase"))
    exact = {
        field: str(match["exact"])
        for field, match in held.items()
        if "exact" in match and "regex" not in match and not (folded and field == URI)
    }
    return Wish(place, held, excluded, folded, gateways, exact)


def _header(name: str) -> Field:
    folded = ":authority" if name.lower() == "host" else name.lower()
    return _PSEUDO.get(folded, ("headers", folded))


def plain_text(match: Fields) -> str:
    """Return the text of an exact or prefix match."""
    return str(match.get("exact", match.get("prefix", "")))


def has(texts: Texts, field: Field, match: Fields, *, folded: bool = False) -> bool:
    """Tell whether a request already has a text that a match takes."""
    text = texts.get(field)
    if text is None or not match:
        return text is not None
    return string_matches(match, text, folded=folded and "regex" not in match)


def texts_by_field(wishes: Iterable[Wish]) -> dict[Field, list[str]]:
    """Return the texts that exact and prefix matches name."""
    found: dict[Field, list[str]] = {}
    for wish in wishes:
        for field, match in chain(wish.held.items(), wish.excluded.items()):
            own = found.setdefault(field, [])
            if "regex" not in match:
                own.append(plain_text(match))
    return found
