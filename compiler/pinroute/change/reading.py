"""Which header is looked at as the user hash, and how a user hash looks."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pinroute.change.model import Incomparable
from pinroute.change.serving import Serving
from pinroute.istio.emit import match_key
from pinroute.istio.hashes import EVERY_HASH
from pinroute.istio.read import busiest_header
from pinroute.istio.resource import Fields
from pinroute.spec.resolve import ALPHABETS
from pinroute.table.universe import Universe

NO_HASH_AT_ALL = Universe("01", 0)  # nobody looks at a hash: all users are one
_STRICT = re.compile(r"([0-9A-Za-z]*)\[[^\]]+\](?:\{(\d+)\})?")


class UserHashOptions(NamedTuple):
    """What was said about the user hash of VirtualServices; None: find it out."""

    header: str | None = None
    alphabet: str | None = None
    digits: int | None = None


class Reading(NamedTuple):
    """The header that carries the user hash (in lower case, "" if none does), and all hashes.

    `note` says what was found out and not told.
    """

    header: str
    universe: Universe
    note: str | None = None


def reading(states: Sequence[Serving], options: UserHashOptions) -> Reading:
    """Return how the user hash is read: as the newest spec says, else as the rules look at it.

    Raises Incomparable where that cannot be known.
    """
    specs = [one.compiled for one in states if one.compiled is not None]
    if specs:
        user_hash = specs[-1].checked.spec.experiment.user_hash
        universe = Universe(user_hash.alphabet, user_hash.digits)
        return Reading(match_key(user_hash.source).lower(), universe)
    header = (options.header or _busiest(states)).lower()
    if not header:
        return Reading("", NO_HASH_AT_ALL)
    texts, regexes = _looked_for(states, header)
    alphabet = options.alphabet or _alphabet(texts, header)
    characters = ALPHABETS.get(alphabet) or "".join(sorted(set(alphabet)))
    longest = max(map(len, texts), default=1)
    digits = options.digits or max(_digits(regexes, header), longest)
    if digits < longest:
        raise Incomparable(
            f"--digits {digits}: {max(texts, key=len)!r} of header {header!r} has {longest} digits"
        )
    universe = Universe(characters, digits)
    if options.header and options.alphabet and options.digits:
        return Reading(header, universe)
    name = next((name for name, own in ALPHABETS.items() if own == characters), repr(characters))
    note = (
        f"{states[-1].name}: the user hash is taken to be header {header!r}, {digits} {name} "
        f"digit{'s' if digits > 1 else ''}; --header, --alphabet and --digits say otherwise"
    )
    return Reading(header, universe, note)


def _busiest(states: Sequence[Serving]) -> str:
    found = Counter(busiest_header(one.service) for one in states)
    del found[None]
    return str(found.most_common(1)[0][0]) if found else ""


def _looked_for(states: Iterable[Serving], header: str) -> tuple[list[str], list[str]]:
    """Return the texts that rules look for in a header, and the regular expressions."""
    texts: list[str] = []
    regexes: list[str] = []
    for match in _string_matches(states, header):
        if "regex" in match:
            regexes.append(str(match["regex"]))
        else:
            texts.append(str(match.get("exact", match.get("prefix", ""))))
    return texts, [regex for regex in regexes if regex not in EVERY_HASH]


def _string_matches(states: Iterable[Serving], header: str) -> Iterator[Fields]:
    for one in states:
        for rule in one.service.get("spec", {}).get("http") or ():
            for item in rule.get("match") or ():
                for field in ("headers", "withoutHeaders"):
                    for name, match in (item.get(field) or {}).items():
                        if str(name).lower() == header:
                            yield match or {}


def _alphabet(texts: Sequence[str], header: str) -> str:
    used = set("".join(texts))
    for name, characters in ALPHABETS.items():
        if used <= set(characters):
            return name
    raise Incomparable(
        f"the values of header {header!r} are no binary, decimal or hex digits: "
        f"name the characters of a user hash with --alphabet"
    )


def _digits(regexes: Sequence[str], header: str) -> int:
    """Return how many digits strict regular expressions speak of, 0 without any."""
    found = 0
    for regex in regexes:
        match = _STRICT.fullmatch(regex)
        if match is None:
            raise Incomparable(
                f"header {header!r} is matched by regex {regex!r}: "
                "name the digits of a user hash with --digits"
            )
        found = max(found, len(match[1]) + int(match[2] or 1))
    return found
