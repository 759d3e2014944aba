"""What the tests of the documentation pages share: the pages and their code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced code block: its language, its text, and the comment line above it."""

    language: str
    text: str
    note: str


class Pages:
    """The pages of docs/, read on demand."""

    root = ROOT

    def blocks(self, page: str, language: str = "") -> list[Block]:
        """Return the code blocks of a page, those of one language if it is given."""
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        fences = re.findall(
            r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
        )
        found = [Block(language=kind, text=body, note=note) for note, kind, body in fences]
        assert text.count("```") == 2 * len(found), f"a fence of {page} has no language or no end"
        return [block for block in found if language in ("", block.language)]


@pytest.fixture(scope="session")
def pages() -> Pages:
    return Pages()
