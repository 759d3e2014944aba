"""How the process ends: at once where it has read very much.

Freeing the nodes of 1,000 files one by one takes as long as a whole family of checks, and
the end of the process frees them in no time.
"""

import os
import sys
from typing import NoReturn

_kept: list[object] = []


def keep(*things: object) -> None:
    """Let things live until the process ends."""
    _kept.extend(things)


def leave(code: int, *, last: bool) -> NoReturn:
    """Exit; whoever calls has written all that there was to say. `last`: nothing follows."""
    if last and _kept:
        os._exit(code)
    _kept.clear()
    sys.exit(code)
