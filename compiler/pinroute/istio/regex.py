"""Regular expressions as Istio and Envoy read them: RE2, by RE2 itself.

Python's own `re` knows constructs that RE2 does not, and the reverse. The library is
loaded when a spec holds a regular expression.
"""

import re
from functools import cache
from typing import Any

MAX_CHARACTERS = 1024
MAX_PROGRAM_SIZE = 32_768  # `re2.max_program_size.error_level` in Istio's bootstrap of Envoy


def regex_problem(text: str) -> str | None:
    """Return why Istio or Envoy refuses a regular expression."""
    if text == "":
        return "an empty regex is refused"
    if len(text) > MAX_CHARACTERS:
        return f"a regex has at most {MAX_CHARACTERS} characters"
    if "C" in re.findall(r"(?s)\\(.)", text):
        return r"Istio's own reader of regular expressions does not know '\C'"
    import re2

    try:
        size = _compiled(text).programsize
    except re2.error as error:
        reason = error.args[0]
        return f"RE2 refuses it: {reason.decode() if isinstance(reason, bytes) else reason}"
    if size > MAX_PROGRAM_SIZE:
        return f"its RE2 program has size {size}, Envoy takes {MAX_PROGRAM_SIZE}"
    return None


def substitution_problem(regex: str, text: str) -> str | None:
    """Return why Envoy refuses what is to be written in place of a match: its back references."""
    groups = _compiled(regex).groups
    for escaped in re.findall(r"(?s)\\\\(.?)", text):
        if escaped.isdigit() and int(escaped) > groups:
            return f"the rewrite names group {escaped}, the match has {groups}"
        if not escaped.isdigit() and escaped != "\\":
            return (
                f"the rewrite has '\\{escaped}': a backslash stands before a digit or a backslash"
            )
    return None


def full_match(regex: str, value: str) -> bool:
    """Tell whether a regular expression takes a whole value, as Envoy's `safe_regex` does."""
    return _compiled(regex).fullmatch(value.encode("utf-8", "surrogateescape")) is not None


@cache
def _compiled(text: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    # Envoy matches bytes: `.` is one of them, and `\x{100}` is nothing.
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(text.encode("utf-8", "surrogateescape"), options)
