"""Which of very many conditions does a request satisfy? By an index, not one after the other."""

from collections.abc import Iterable, Iterator, Sequence

from pinroute.istio.evaluate import Call, satisfied
from pinroute.istio.read import Fields

_STRINGS = ("uri", "authority", "method")


class Conditions:
    """Conditions of requests (HTTPMatchRequests without the user hash), known by their place.

    Each is filed under one exact or prefix match of its own; a request asks only those
    that are filed under its texts and the heads of these, and those that have no such
    match. Gateways are written as namespace/name.
    """

    def __init__(self, conditions: Sequence[Fields]) -> None:
        self._conditions = conditions
        self._others: list[int] = []
        self._exacts: dict[tuple[str, str], dict[str, list[int]]] = {}
        self._prefixes: dict[tuple[str, str], dict[str, list[int]]] = {}
        for number, condition in enumerate(conditions):
            self._file(number, condition)

    def _file(self, number: int, condition: Fields) -> None:
        for field, match in _matches(condition):
            for kind, index in (("exact", self._exacts), ("prefix", self._prefixes)):
                if kind in match and "regex" not in match:
                    texts = index.setdefault(field, {})
                    texts.setdefault(str(match[kind]), []).append(number)
                    return
        self._others.append(number)

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


def _matches(condition: Fields) -> Iterator[tuple[tuple[str, str], Fields]]:
    for name in _STRINGS:
        match = condition.get(name)
        # Where case is ignored, the text of a request is not the text of the match.
        if isinstance(match, dict) and not (name == "uri" and condition.get("ignoreUriCase")):
            yield (name, ""), match
    for name, match in (condition.get("headers") or {}).items():
        if isinstance(match, dict) and not str(name).startswith(":") and name.lower() != "host":
            yield ("headers", str(name).lower()), match


def _texts(call: Call, field: tuple[str, str]) -> Iterable[str]:
    name, key = field
    if name == "headers":
        return call.headers.get(key, ())
    texts = {"uri": call.path.partition("?")[0], "authority": call.host, "method": call.method}
    return (texts[name],)
