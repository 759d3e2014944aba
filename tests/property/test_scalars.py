"""What a plain text means to three readers, and that `misread` misses nothing."""

import re
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from pinroute.spec.nodes import Scalar
from pinroute.spec.scalars import misread, scalar_value

MORE = settings().max_examples * 20

WORDS = st.sampled_from(
    "y Y yes Yes YES n no No NO on On ON off OFF true True TRUE false null Null NULL ~ nan .nan "
    ".NaN .inf -.INF +.Inf inf 0x1F 0X1F 0b1 0B1 0o7 0O7 1_0 1e5 1E+5 1:20 -1:20.5 2024-01-01 "
    "2024-1-1 2024-01-01T10:00:00Z = << 0 -0 00 . .. - + ._ -_ _ 1e 1e5_0 abc".split()
)
TEXTS = (
    WORDS
    | st.text(st.sampled_from("0123456789"), min_size=1, max_size=6)
    | st.text(st.sampled_from("01ef_.:-+"), min_size=1, max_size=8)
    | st.text(st.sampled_from("0179abefoxBOXE_.:-+TtZ "), min_size=1, max_size=12)
    | st.text(min_size=1, max_size=4)
    | st.from_regex(r"[-+]?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:.]+Z?)?", fullmatch=True)
)


def yaml_1_1(text: str) -> str:
    loader: Any = yaml.SafeLoader("")
    tag: str = loader.resolve(yaml.ScalarNode, text, (True, False))
    return tag.rsplit(":", 1)[1]


_RESOLVER: Any = VersionedResolver()


def yaml_1_2(text: str) -> str:
    return str(_RESOLVER.resolve(ScalarNode, text, (True, False))).rsplit(":", 1)[1]


_GO_INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)")
_GO_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_GO_TIME = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:[Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})"
    r"| [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?)?"
)
_GO_WORDS = {
    *"y Y yes Yes YES on On ON n N no No NO off Off OFF true True TRUE false False FALSE".split(),
    *"~ null Null NULL << .nan .NaN .NAN .inf .Inf .INF +.inf +.Inf +.INF -.inf -.Inf -.INF".split(),
}


def go(text: str) -> str:
    """What go-yaml (v2 of kubectl, and v3) takes a plain scalar for; written from resolve.go."""
    if text in _GO_WORDS:
        return "word"
    if text[0] not in "+-.0123456789":
        return "str"
    bare = text.replace("_", "")
    for pattern in (_GO_INTEGER, _GO_FLOAT):
        if pattern.fullmatch(text if text[0] == "." else bare):
            return "number"
    return "time" if _GO_TIME.fullmatch(text) else "str"


@given(TEXTS)
@settings(max_examples=MORE)
@example("0B1")
@example("2024-01-01")
@example("=")
def test_what_some_reader_misreads_is_found(text: str) -> None:
    if text in ("!", "&", "*"):  # which cannot stand plain
        return
    readers = {"YAML 1.1": yaml_1_1(text), "YAML 1.2": yaml_1_2(text), "Go": go(text)}
    if any(kind != "str" for kind in readers.values()):
        assert misread(text) is not None, readers


@given(TEXTS)
@settings(max_examples=MORE)
def test_nothing_is_found_in_vain(text: str) -> None:
    """Only what begins like a number, or is one of some words, has to be quoted."""
    word = re.compile(r"[-+.0-9].*|=|<<|~|(?i:y|yes|n|no|on|off|true|false|null)", re.DOTALL)
    if word.fullmatch(text) is None:
        assert misread(text) is None
    if re.fullmatch(r"[0-9]*[ac-dg-np-wyz][a-z0-9]*", text):  # hex and base 36, no 0x, 0b, 0o, 1e
        assert misread(text) is None or text in {"n", "y", "yes", "no", "null", "true", "false"}


def plain(text: str) -> Any:
    return scalar_value(Scalar(text, True, (0, 0), (0, 0)))


@given(TEXTS | st.integers().map(str) | st.floats(allow_nan=False).map(str))
@settings(max_examples=MORE)
def test_what_we_take_for_a_number_everybody_does(text: str) -> None:
    found = plain(text)
    if isinstance(found, str):
        assert found == text
        return
    assert misread(text) is not None
    if isinstance(found, bool) or found is None:
        expected = {"bool"} if isinstance(found, bool) else {"null"}
        assert {yaml_1_1(text), yaml_1_2(text)} == expected
    else:
        # YAML 1.1 wants a point and a signed exponent, and reads some integers in base 8 or 60.
        assert yaml_1_2(text) in ("int", "float")
        assert found == (int(text) if text.lstrip("+-").isdecimal() else float(text))
        assert scalar_value(Scalar(text, False, (0, 0), (0, 0))) == text


@given(st.integers(-(10**90), 10**90))
def test_integers_are_exact(number: int) -> None:
    assert plain(str(number)) == number
    assert type(plain(str(number))) is int
