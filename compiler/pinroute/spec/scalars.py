"""What a plain scalar means, and to whom.

YAML 1.1 (PyYAML), YAML 1.2 (editors, ruamel) and Go's reader (kubectl) disagree about
words such as `1e5`, `012` or `on`. pinroute takes a plain scalar for a number, a
boolean or null only where the JSON schema of YAML 1.2 does; a *text* that any of the
three readers takes for something else has to be quoted.
"""

import re

from pinroute.spec.nodes import Node, Scalar, Sequence

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]

_INTEGER = r"[-+]?(?:0|[1-9][0-9]*)"
_FLOAT = r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?"
_SPECIAL_FLOAT = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
# Everything that one of the readers takes for a number: also 0b1, 0O7, 0x1f, 1_000, 1:20.
_NUMBER_TO_SOME = (
    r"[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|(?=\.?[0-9_])[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?)"
)
_DATE_TO_SOME = r"(?s)[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?"
_SIGNS = {"=", "<<"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEAN_TO_SOME = {"y", "n", "yes", "no", "on", "off", "true", "false"}


def misread(text: str) -> str | None:
    """Return what some YAML reader takes a plain scalar for, None if all agree on text."""
    if text in _NULL:
        return "null"
    first = text[0]
    if first in "0123456789+-.":
        if re.fullmatch(_NUMBER_TO_SOME, text) or re.fullmatch(_SPECIAL_FLOAT, text):
            return "a number"
        if re.fullmatch(_DATE_TO_SOME, text):
            return "a date"
    elif text in _SIGNS:
        return "an operator"
    elif len(text) <= 5 and text.lower() in _BOOLEAN_TO_SOME:
        return "a boolean"
    return None


def scalar_value(node: Scalar) -> str | int | float | bool | None:
    """Return the value of a scalar: plain numbers, booleans and nulls are typed."""
    text = node.text
    if not node.plain:
        return text
    if text and text[0] not in "0123456789+-.~nNtTfF":
        return text
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    # A number beyond any use stays text: converting it would cost quadratic time.
    if len(text) < 100:
        if text.isdecimal() and text.isascii() and (text[0] != "0" or text == "0"):
            return int(text)
        if re.fullmatch(_INTEGER, text):
            return int(text)
        if re.fullmatch(_FLOAT, text):
            number = float(text)
            return int(number) if number.is_integer() else number
    return text


def plain_number(number: float) -> str:
    """Return a number in digits, all of them, without an exponent."""
    text = repr(number).removesuffix(".0")
    digits, exponent, power = text.partition("e-")
    if not exponent:
        return text
    return f"{number:.{int(power) + len(digits.partition('.')[2])}f}"


def value(node: Node) -> Value:
    """Return the plain data of a node: dictionaries, lists, text, numbers, booleans, None."""
    if isinstance(node, Scalar):
        return scalar_value(node)
    if isinstance(node, Sequence):
        return [value(item) for item in node.items]
    return {key: value(item) for key, item in node.entries.items()}
