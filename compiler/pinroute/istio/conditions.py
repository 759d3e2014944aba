"""Which of very many conditions does a request satisfy? By an index, not one after the other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from pinroute.istio.evaluate import Call, satisfied
from pinroute.istio.resource import Fields

_STRINGS = ("uri", "authority", "method")


class Conditions:
    """Conditions of requests (HTTPMatchRequests without the user hash), known by their place.

    Each is filed under one exact or prefix match of its own, the rarest; a request asks
    only those that are filed under its texts and the heads of these, and those that have
    no such match. Gateways are written as namespace/name.
    """

    def __init__(self, conditions: Sequence[Fields]) -> None:
        self._conditions = conditions
        self._others: list[int] = []
        self._exacts: dict[tuple[str, str], dict[str, list[int]]] = {}
        self._prefixes: dict[tuple[str, str], dict[str, list[int]]] = {}
        matches = [list(_matches(condition)) for condition in conditions]
        often = Counter(chain.from_iterable(matches))
        for number, own in enumerate(matches):
            if not own:
                self._others.append(number)
                continue
            field, kind, text = min(own, key=often.__getitem__)
            index = self._exacts if kind == "exact" else self._prefixes
            index.setdefault(field, {}).setdefault(text, []).append(number)

    def held_by(self, call: Call) -> frozenset[int]:
        """Return the places of the conditions that a request satisfies."""
        return frozenset(
            number for number in self._near(call) if satisfied(self._conditions[number], call)
        )

    def _near(self, call: Call) -> Iterator[int]:
        yield from self._others
        for field, texts in self._exacts.items():
            for text in _texts(call, field):
                yield from texts.get(text, ())
        for field, texts in self._prefixes.items():
            for text in _texts(call, field):
                for length in range(len(text) + 1):
                    yield from texts.get(text[:length], ())


def _matches(condition: Fields) -> Iterator[tuple[tuple[str, str], str, str]]:
    """Yield the exact and prefix matches of a condition: field, kind and text."""
    found: list[tuple[tuple[str, str], Fields]] = []
    for name in _STRINGS:
        # Where case is ignored, the text of a request is not the text of the match.
        if not (name == "uri" and condition.get("ignoreUriCase")):
            found.append(((name, ""), condition.get(name) or {}))
    for name, match in (condition.get("headers") or {}).items():
        if not str(name).startswith(":") and str(name).lower() != "host":
            found.append((("headers", str(name).lower()), match or {}))
    for field, match in found:
        for kind in ("exact", "prefix"):
            if kind in match and "regex" not in match:
                yield field, kind, str(match[kind])


def _texts(call: Call, field: tuple[str, str]) -> Iterable[str]:
    name, key = field
    if name == "headers":
        return call.headers.get(key, ())
    texts = {"uri": call.path.partition("?")[0], "authority": call.host, "method": call.method}
    return (texts[name],)
