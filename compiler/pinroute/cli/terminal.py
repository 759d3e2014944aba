"""Writing to stdout and stderr: UTF-8 whatever the locale, and colour only where it is wanted."""

import os
import sys
from typing import TextIO

RED, YELLOW, BLUE = 31, 33, 34


def out(text: str) -> None:
    """Write the payload."""
    _write(sys.stdout, text)


def err(text: str) -> None:
    """Write everything else."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    stream.flush()
    stream.buffer.write(text.encode("utf-8", "surrogateescape"))
    stream.flush()


def drop_output() -> None:
    """Send what is left in the buffer of stdout nowhere, so that nobody tries again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def colours(stream: TextIO) -> bool:
    """Tell whether a stream takes colour: NO_COLOR and FORCE_COLOR win over what it is."""
    if "NO_COLOR" in os.environ:
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def styled(text: str, colour: int) -> str:
    """Return a bold, coloured text."""
    return f"\x1b[1;{colour}m{text}\x1b[0m"
