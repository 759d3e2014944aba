"""Files of values: what ends a line."""

import pytest

from pinroute.cli.inputs import value_lines


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"", []),
        (b"1\n0", ["1", "0"]),
        (b"1\n0\n", ["1", "0"]),
        (b"1\r\n0\r\n", ["1", "0"]),
        (b"1\n\n0\n", ["1", "", "0"]),
        ("1\u20280\n".encode(), ["1\u20280"]),
        (b"1\x0c0\n1\x1c0\n", ["1\x0c0", "1\x1c0"]),
    ],
)
def test_only_line_feeds_end_a_value(data: bytes, values: list[str]) -> None:
    assert value_lines(data) == values
