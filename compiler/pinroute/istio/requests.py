"""The kinds of requests that some conditions tell apart, each with one request that is of it.

Two requests are of one kind if they satisfy the same conditions. Sought are a request
outside of everything, one for each condition, and one for each combination of conditions
that a request can satisfy together. Where conditions are made of exact and prefix matches,
that is all of them, up to `MOST_TRIALS`; for a regular expression or an exclusion a request
is looked for, and not always found.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import NamedTuple

from pinroute.istio.conditions import Conditions
from pinroute.istio.evaluate import Call, string_matches
from pinroute.istio.resource import Fields, covers, some_host
from pinroute.istio.specimen import specimen
from pinroute.istio.wishes import (
    AUTHORITY,
    GATEWAY,
    METHOD,
    NAMESPACE,
    PORT,
    SCHEME,
    URI,
    Field,
    Texts,
    Wish,
    has,
    plain_text,
    texts_by_field,
    wish_of,
)

MOST_TRIALS = 100_000
MOST_LOOKS = 20 * MOST_TRIALS  # at pairs of which one look tells that they exclude each other

_ALWAYS = (URI, METHOD, SCHEME, AUTHORITY, GATEWAY, PORT)  # no request is without
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_LETTERS = "xyzqjkvwuabcdefghilmnoprst0123456789XYZQJKVWUABCDEFGHILMNOPRST"


class Kind(NamedTuple):
    """A kind of requests: one of them, and the places of the conditions that it satisfies."""

    call: Call
    held: frozenset[int]


class Kinds(NamedTuple):
    """The kinds that were found, the plainest first.

    `unmet` are the places of conditions with a regex for which no request was found; `cut`
    tells that there are more combinations than are tried.
    """

    found: tuple[Kind, ...]
    unmet: tuple[int, ...]
    cut: bool


class _State(NamedTuple):
    """A request, and the wishes (by number, rising) that made it."""

    texts: Texts
    granted: tuple[int, ...]


def kinds(conditions: Sequence[Fields], hosts: Sequence[str], gateways: Sequence[str]) -> Kinds:
    """Return the kinds of requests for these hosts at these gateways; the first are the usual."""
    search = _Search(conditions, hosts, gateways)
    search.run()
    met = frozenset(chain.from_iterable(search.found))
    unmet = [
        wish.place for wish in search.wishes if search.obscure(wish) and wish.place not in met
    ]
    found = tuple(Kind(search.plainer(call, held), held) for held, call in search.found.items())
    return Kinds(found, tuple(sorted(unmet)), search.cut)


class _Search:
    """Grants one wish more to each new kind of request, breadth first."""

    def __init__(
        self, conditions: Sequence[Fields], hosts: Sequence[str], gateways: Sequence[str]
    ) -> None:
        self.conditions = Conditions(conditions)
        self.hosts = hosts
        self.gateways = gateways
        self.found: dict[frozenset[int], Call] = {}
        self.cut = False
        self.trials = self.looks = 0
        wishes = [wish_of(number, condition) for number, condition in enumerate(conditions)]
        self.texts = texts_by_field(wishes)
        self.fresh = _fresh(chain.from_iterable(self.texts.values()))
        # To be outside of an exclusion is a wish of its own.
        wishes += [
            Wish(-1, {field: match}) for wish in wishes for field, match in wish.excluded.items()
        ]
        # Those about the path come first, by its text: those that can go together stand
        # side by side. Those of a group, of which one is granted at most, do, too.
        wishes.sort(key=lambda wish: (wish.head is None, wish.head or "", wish.group))
        self.wishes = wishes
        self.following = _following([wish.group for wish in wishes])
        self.heads = [wish.head for wish in wishes if wish.head is not None]
        self.seen: set[tuple[frozenset[int], str, str]] = set()

    def _plain(self) -> Texts:
        """Return the usual request."""
        return {
            URI: "/",
            METHOD: "GET",
            SCHEME: "http",
            AUTHORITY: some_host(self.hosts[0]),
            GATEWAY: self.gateways[0],
            PORT: "80",
        }

    def _outside(self) -> Texts:
        """Return a request that is outside of every condition that it can be outside of."""
        found = dict(self._plain())
        for field, choices in (
            (URI, (f"/{text}" for text in self._words())),
            (METHOD, _METHODS),
            (SCHEME, ("http", "https")),
            (PORT, map(str, count(80))),
        ):
            if field in self.texts:
                found[field] = self._unlike(field, choices) or found[field]
        return found

    def _words(self) -> Iterator[str]:
        yield self.fresh
        yield from (f"{char}-{self.fresh}" for char in _LETTERS)

    def _unlike(self, field: Field, choices: Iterable[str]) -> str | None:
        """Return the first text that no match of a field takes, if any."""
        heads = tuple(text for text in self.texts.get(field, ()) if text not in ("", "/"))
        return next((text for text in choices if not text.startswith(heads)), None)

    def run(self) -> None:
        """Find the kinds."""
        plain = _call(self._plain())
        self.found[self.conditions.held_by(plain)] = plain
        outside = self._outside()
        hosts = self.hosts if AUTHORITY in self.texts else self.hosts[:1]
        level = [
            _State({**outside, GATEWAY: gateway, AUTHORITY: some_host(host)}, ())
            for gateway in self.gateways
            for host in hosts
        ]
        for state in level:
            self._keep(state.texts)
        while level and not self.cut:
            level = [more for state in level for more in self._after(state)]

    def _after(self, state: _State) -> Iterator[_State]:
        """Yield the new kinds of requests that one wish more makes of one."""
        for number in self._candidates(state):
            if self.trials >= MOST_TRIALS or self.looks >= MOST_LOOKS:
                self.cut = True
                return
            self.looks += 1
            if self._replaces(number, state.granted):
                continue
            for texts in self._granted(state.texts, self.wishes[number]):
                self.trials += 1
                granted = (*state.granted, number)
                if self._keep(texts, granted):
                    yield _State(texts, granted)

    def _replaces(self, number: int, granted: Sequence[int]) -> bool:
        """Tell whether a wish is for another exact text than one that was granted."""
        wanted = self.wishes[number].exact
        if not wanted:
            return False
        return any(
            wanted.get(field, text) != text
            for one in granted
            for field, text in self.wishes[one].exact.items()
        )

    def _candidates(self, state: _State) -> Iterator[int]:
        """Yield the wishes that may go with those of a state: none that replaces one of them."""
        last = state.granted[-1] if state.granted else -1
        number = self.following[last] if last >= 0 else 0
        if last < len(self.heads):
            head = self.heads[last] if last >= 0 else ""
            while number < len(self.heads) and self.heads[number].startswith(head):
                yield number
                number += 1
            number = len(self.heads)
        yield from range(number, len(self.wishes))

    def _keep(self, texts: Texts, granted: Sequence[int] = ()) -> bool:
        """Keep a request if it is of a new kind, and all that was wished still holds."""
        call = _call(texts)
        if not any(covers(host, call.host) for host in self.hosts):
            return False
        held = self.conditions.held_by(call)
        # At another gateway or host other wishes can be granted.
        key = (held, call.gateway, call.host)
        if key in self.seen:
            self.found[held] = min(self.found[held], call, key=_plainness)
            return False
        for number in granted:
            wish = self.wishes[number]
            if wish.place >= 0 and wish.place not in held:
                return False
            if wish.place < 0 and not all(has(texts, *pair) for pair in wish.held.items()):
                return False
        self.seen.add(key)
        self.found.setdefault(held, call)
        return True

    def _granted(self, texts: Texts, wish: Wish) -> list[Texts]:
        """Return the request with a wish granted, in one way or several."""
        found: list[dict[Field, str]] = [dict(texts)]
        if wish.gateways and texts[GATEWAY] not in wish.gateways:
            return []
        for field, match in wish.held.items():
            if not has(texts, field, match, folded=wish.folded and field == URI):
                choices = self._choices(field, match)
                found = [{**one, field: text} for one in found for text in choices]
        for field, match in wish.excluded.items():
            if field in _ALWAYS:
                if has(texts, field, match):
                    found = [{**one, field: self._outside()[field]} for one in found]
            elif has(texts, field, match):
                for one in found:
                    one.pop(field, None)
            elif match and string_matches(match, ""):
                found = [{**one, field: self.fresh} for one in found]
        return [one for one in found if one != texts]

    def _choices(self, field: Field, match: Fields) -> list[str]:
        """Return texts for a match: one that nothing else names, and the plainest."""
        if field == AUTHORITY:
            head = plain_text(match).rstrip(".")
            known = [some_host(host) for host in self.hosts]
            known += [head + host[1:] for host in self.hosts if host.startswith("*")]
            fitting = [host for host in known if string_matches(match, host)]
            if fitting:
                return fitting[:1]
        if "regex" in match:
            return self._specimens(field, str(match["regex"]))
        if "exact" in match:
            return [str(match["exact"])]
        head = plain_text(match)
        # First a text that satisfies as little else as can be: more can be added to it.
        if field == URI and head:
            return [head + self.fresh, f"{head.removesuffix('/')}/{self.fresh}", head]
        if head:
            return [head + self.fresh, head]
        return [self._unlike(field, self._words()) or self.fresh]

    def _specimens(self, field: Field, regex: str) -> list[str]:
        pool = (specimen(regex), *self.texts.get(field, ()), self.fresh, f"/{self.fresh}", "/")
        found = [
            text for text in pool if text is not None and string_matches({"regex": regex}, text)
        ]
        return list(dict.fromkeys(found))[:2]

    def plainer(self, call: Call, held: frozenset[int]) -> Call:
        """Return a request of the same kind without what is unusual for no reason."""
        _, mark, query = call.path.partition("?")
        path = f"/{mark}{query}"
        for method, scheme, way in (
            (call.method, call.scheme, path),
            ("GET", call.scheme, call.path),
            ("GET", "http", path),
        ):
            other = call._replace(method=method, scheme=scheme, path=way)
            if other != call and self.conditions.held_by(other) == held:
                call = other
        return call

    def obscure(self, wish: Wish) -> bool:
        """Tell whether a wish is for a regex of which no text is known."""
        return wish.place >= 0 and any(
            "regex" in match and not self._choices(field, match)
            for field, match in wish.held.items()
        )


def _fresh(texts: Iterable[str]) -> str:
    """Return a text that no condition has in it."""
    everything = "\n".join(texts).lower()
    return next(
        text for text in chain(["any"], (f"any{n}" for n in count(2))) if text not in everything
    )


def _following(groups: Sequence[str]) -> list[int]:
    """Return for each place the next one that is of no group, or of another."""
    found = [len(groups)] * len(groups)
    for number in range(len(groups) - 2, -1, -1):
        same = groups[number] != "" and groups[number] == groups[number + 1]
        found[number] = found[number + 1] if same else number + 1
    return found


def _plainness(call: Call) -> tuple[int, int]:
    return len(call.headers), len(call.path) + sum(
        len(lines[0]) for lines in call.headers.values()
    )


def _call(texts: Texts) -> Call:
    query = "&".join(
        f"{name}={text}" for (field, name), text in texts.items() if field == "queryParams"
    )
    path = texts[URI]
    if query:
        path += ("&" if "?" in path else "?") + query
    return Call(
        host=texts[AUTHORITY],
        path=path,
        method=texts[METHOD],
        scheme=texts[SCHEME],
        headers={name: (text,) for (field, name), text in texts.items() if field == "headers"},
        gateway=texts[GATEWAY],
        port=int(texts[PORT]),
        labels={name: text for (field, name), text in texts.items() if field == "labels"},
        namespace=texts.get(NAMESPACE, ""),
    )
