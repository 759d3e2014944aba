"""A table of plain texts: what we take them for, and whether some reader disagrees."""

import math

import pytest

from pinroute.spec.nodes import Scalar
from pinroute.spec.scalars import misread, scalar_value

NUMBERS = (
    "0 1 -1 +1 00 007 012 0o17 0O17 0x1f 0X1F 0b101 0B101 1_000 1__0 1e5 1E5 1e+5 1.5e-3 1. .5 +.5 "
    "1:20 -1:20 1:20:30.5 .inf -.INF +.Inf .nan .NaN 101 1e05 9e99 1e5_0 -_ ._ 0_ 0x_ff"
).split()
DATES = ["2024-01-01", "2024-1-1", "2024-01-01T10:00:00Z", "2024-1-1 10:00:00"]
BOOLEANS = "y Y n N yes Yes YES no No NO on On ON off Off OFF true True TRUE false False".split()
NULLS = ["", "~", "null", "Null", "NULL"]
TEXTS = (
    "a abc 1a 0xg 0b2 e5 1e 1e+ 1.2.3 v1 nul nulls yesterday only truely -a +a - + . .. .a a.b 1-2 "
    "10.0.0.1 example.com group-1 0.16.1 1,5 one nOpe infinity"
).split()


@pytest.mark.parametrize("text", NUMBERS)
def test_some_reader_takes_it_for_a_number(text: str) -> None:
    assert misread(text) == "a number"


@pytest.mark.parametrize("text", DATES)
def test_some_reader_takes_it_for_a_date(text: str) -> None:
    assert misread(text) == "a date"


@pytest.mark.parametrize("text", BOOLEANS)
def test_some_reader_takes_it_for_a_boolean(text: str) -> None:
    assert misread(text) == "a boolean"


@pytest.mark.parametrize("text", NULLS)
def test_some_reader_takes_it_for_null(text: str) -> None:
    assert misread(text) == "null"


@pytest.mark.parametrize("text", TEXTS)
def test_every_reader_takes_it_for_text(text: str) -> None:
    assert misread(text) is None
    assert scalar_value(Scalar(text, True, (0, 0), (0, 0))) == text


@pytest.mark.parametrize("text", ["=", "<<"])
def test_operators_of_yaml_1_1(text: str) -> None:
    assert misread(text) == "an operator"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-0", 0),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("1.5", 1.5),
        ("1.", 1),
        (".5", 0.5),
        ("1e3", 1000),
        ("80.0", 80),
        ("1e-2", 0.01),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("012", "012"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1:20", "1:20"),
        ("1e100", "1e100"),
        ("yes", "yes"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("9" * 99, int("9" * 99)),
        ("9" * 100, "9" * 100),
        ("٣", "٣"),
        ("1٣", "1٣"),
    ],
)
def test_the_value_of_a_plain_scalar(text: str, expected: object) -> None:
    """Numbers, booleans and null only where the JSON schema of YAML 1.2 has them."""
    found = scalar_value(Scalar(text, True, (0, 0), (0, 0)))
    assert found == expected
    assert type(found) is type(expected)
    assert not isinstance(found, float) or math.isfinite(found)


@pytest.mark.parametrize("text", ["1", "true", "~", "", "1.5"])
def test_what_is_quoted_is_text(text: str) -> None:
    assert scalar_value(Scalar(text, False, (0, 0), (0, 0))) == text
