"""HTTP/1.1 messages cut out of a stream of bytes: as much as Envoy's two sides need.

Header names come in lower case, values without blanks around them. Text is UTF-8 in
which foreign bytes survive as surrogates, so that what is read can be written again.
"""

from dataclasses import dataclass

ENCODING = "utf-8"
ERRORS = "surrogateescape"


@dataclass(frozen=True, slots=True)
class Message:
    """One request or response: its first line, its header lines in order, its decoded body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def take(buffer: bytearray, *, bodiless: bool = False) -> Message | None:
    """Cut the first message off the buffer, or return None while it is not complete.

    `bodiless` tells that no body follows whatever the header says (answers to HEAD).
    A message without a length has no body. Raise ValueError if this is not HTTP/1.1.
    """
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return None
    start, *lines = buffer[:head].decode(ENCODING, ERRORS).split("\r\n")
    headers = tuple(_header(line) for line in lines)
    body, end = b"", head + 4
    if not bodiless:
        length = 0
        for name, value in headers:
            if name == "transfer-encoding":
                chunked = _chunked(buffer, end)
                if chunked is None:
                    return None
                body, end = chunked
                length = 0
                break
            if name == "content-length":
                length = int(value)
        if length:
            if len(buffer) < end + length:
                return None
            body, end = bytes(buffer[end : end + length]), end + length
    del buffer[:end]
    return Message(start, headers, body)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"not a header line: {line!r}")
    return name.lower(), value.strip(" \t")


def _chunked(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    """Return the chunked body that starts at `at` and where it ends, or None while incomplete."""
    chunks: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(buffer[at:line]).partition(b";")[0], 16)
        at = line + 2
        if size == 0:
            break
        if len(buffer) < at + size + 2:
            return None
        chunks.append(bytes(buffer[at : at + size]))
        at += size + 2
    while True:  # trailers, up to the empty line
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        at, empty = line + 2, line == at
        if empty:
            return b"".join(chunks), at
