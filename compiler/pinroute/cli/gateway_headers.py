"""Header lines for requests to a live gateway, from `-H`; their values are never printed."""

import re
from collections.abc import Iterator, Sequence

from pinroute.cli.exits import Misuse
from pinroute.cli.inputs import value_lines
from pinroute.compilation import Compiled

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = ("host", "content-length", "transfer-encoding", "connection")
_MOST_BYTES = 1 << 20


def header_lines(given: Sequence[str], compiled: Compiled) -> list[tuple[str, str]]:
    """Read `name: value` and `@FILE`; stops at a header that the routes look at."""
    source = compiled.checked.spec.experiment.user_hash.source
    looked_at = {source.name.lower()}
    for item in compiled.stages[0].routes.items:
        for field in ("headers", "withoutHeaders"):
            looked_at |= {name.lower() for name in item.condition.get(field) or {}}
    found: list[tuple[str, str]] = []
    for where, line in _given(given):
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _NAME.fullmatch(name):
            raise Misuse(f"{where} is not 'name: value'")
        if any((char < " " and char != "\t") or char == "\x7f" for char in value):
            raise Misuse(f"{where}: the value of {name!r} has a control character")
        if name.lower() in _OURS:
            hint = ": choose it with --host" if name.lower() == "host" else ""
            raise Misuse(f"{where}: {name!r} is set by pinroute{hint}")
        if name.lower() in looked_at:
            raise Misuse(f"{where}: the routes look at {name!r}, so pinroute sets it")
        found.append((name, value))
    return found


def _given(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(given, 1):
        if not text.startswith("@"):
            yield f"header {number}", text
            continue
        file = text[1:]
        try:
            with open(file, "rb") as opened:
                data = opened.read(_MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Misuse(f"cannot read the headers in {file}: {reason}") from None
        if len(data) > _MOST_BYTES:
            raise Misuse(f"{file} is larger than 1 MiB: are these headers?")
        for place, line in enumerate(value_lines(data), 1):
            if line.strip():
                yield f"{file}:{place}", line
