"""What `doctor` says to a question: how it stands, why, and what to do."""

from typing import NamedTuple

OK, WARNING, PROBLEM, UNKNOWN = "ok", "warning", "problem", "unknown"


class Answer(NamedTuple):
    """An answer to one question; `hint` says what to do, or where to look."""

    question: str
    state: str
    detail: str
    hint: str = ""


def unseen(question: str, what: str, hint: str) -> Answer:
    """Return the answer where something may not be read."""
    return Answer(question, UNKNOWN, f"{what} may not be read", hint)
