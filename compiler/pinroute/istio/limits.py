"""What Istio's validator and Envoy accept as hosts, names, header values and durations.

Each function returns why a text is refused, or None. The rules were confirmed on real
servers: Istio accepts some texts that Envoy then refuses, and one such value freezes
every host of the gateway port.
"""

import re
import string

from pinroute.istio.operators import operators_problem

MAX_HEADER_BYTES = 16_384
MAX_DURATION_NS = 9_223_372_036 * 10**9
MAX_ITEMS = 256
MAX_CLIENT_APPLY_BYTES = 200 * 1024
MAX_OBJECT_BYTES = 1024 * 1024

_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)
_LABEL = _ALPHANUMERIC | {"-"}
_TOKEN = _ALPHANUMERIC | frozenset("!#$%&'*+-.^_`|~")
_DURATION = r"\+?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+"
_PART = r"([0-9]*)\.?([0-9]*)(ns|us|µs|ms|s|m|h)"
_UNIT_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def _is_label(text: str) -> bool:
    """Tell whether a text is a DNS label (RFC 1123), in either case."""
    return 0 < len(text) <= 63 and _LABEL.issuperset(text) and text[0] != "-" and text[-1] != "-"


def label_problem(text: str) -> str | None:
    """Return why Istio refuses a text that has to be a DNS label."""
    return None if _is_label(text) else f"{text!r} is no DNS label"


def host_problem(host: str, *, wildcard: bool) -> str | None:
    """Return why Istio refuses a host of a VirtualService, or of a destination."""
    if not host:
        return "it is empty"
    if len(host) > 255:
        return f"it has {len(host)} characters, 255 is the limit"
    if "/" in host:
        return "it carries a scheme or a path; give the name alone"
    parts = host.split(".")
    numbers = len(parts) == 4 and all(part.isdigit() for part in parts)
    if numbers or "[" in host or host.count(":") > 1:
        return "it is an IP address; route to a Service by its name"
    if ":" in host:
        return "it carries a port; ports have a field of their own"
    if host == "*":
        return None if wildcard else "'*' is no destination"
    name = host[2:] if wildcard and host.startswith("*.") else host
    for label in name.split("."):
        if not _is_label(label):
            return f"label {label!r} is no DNS label"
    top = name.rsplit(".", 1)[-1]
    if "." in name and top.isdigit():
        return f"top level domain {top!r} is all digits"
    return None


def gateway_problem(name: str) -> str | None:
    """Return why a gateway reference is refused: `mesh`, a name, or namespace/name."""
    parts = name.split("/")
    if len(parts) > 2:
        return "it has more than one '/'"
    for part, noun in zip(
        parts, ("namespace", "name") if len(parts) == 2 else ("name",), strict=True
    ):
        if not _is_label(part) or part != part.lower():
            return f"{noun} {part!r} is no DNS label"
    if name.isdigit():
        return "it is all digits, which Istio takes for no name; write namespace/name"
    return None


def header_name_problem(name: str) -> str | None:
    """Return why a header name is refused: RFC 9110 tokens only."""
    if not name:
        return "it is empty"
    if name.startswith(":"):
        return "pseudo headers cannot be used here"
    odd = next((char for char in name if char not in _TOKEN), None)
    if odd is not None:
        return f"character {odd!r} is not allowed in a header name"
    if len(name) > MAX_HEADER_BYTES:
        return f"it is longer than {MAX_HEADER_BYTES} bytes"
    return None


def header_value_problem(value: str) -> str | None:
    """Return why Envoy refuses a header value, or Istio does.

    `%` starts a command operator and is written `%%` where it is meant.
    """
    if len(value.encode()) > MAX_HEADER_BYTES:
        return f"it is longer than {MAX_HEADER_BYTES} bytes"
    odd = next(
        (char for char in value if (ord(char) < 32 and char != "\t") or ord(char) == 127), None
    )
    if odd is not None:
        return f"control character {odd!r} is not allowed"
    return operators_problem(value)


def path_problem(text: str) -> str | None:
    """Return why no request can have a path that is, or begins with, a text."""
    if not text.startswith("/"):
        return f"no path begins with {text!r}: every path begins with '/'"
    odd = next((char for char in text if not "!" <= char <= "~" or char in "?#"), None)
    if odd is not None:
        return f"{odd!r} is in no path: the query is matched apart, other characters are %-encoded"
    return None


def nanoseconds(text: str) -> int:
    """Return the length of a Go duration; 0 for a text that is none."""
    total = 0
    for whole, fraction, unit in re.findall(_PART, text):
        total += int(whole + fraction or "0") * _UNIT_NS[unit] // 10 ** len(fraction)
    return total


def duration_problem(text: str) -> str | None:
    """Return why Istio refuses a duration: at least 1ms, in whole milliseconds."""
    if not re.fullmatch(_DURATION, text):
        return "it is no duration such as 250ms, 5s or 1m30s"
    total = nanoseconds(text)
    if total < 10**6:
        return "Istio takes durations from 1ms on"
    if total >= MAX_DURATION_NS:
        return "Envoy counts durations up to 292 years"
    if total % 10**6:
        return "Istio takes durations in whole milliseconds only"
    return None
