"""Columns of text, as kubectl prints them."""

from collections.abc import Sequence


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under their heads, three blanks apart, without trailing blanks."""
    table = [heads, *rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(heads))]
    lines = (
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
    return "".join(f"{line}\n" for line in lines)
