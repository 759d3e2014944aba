"""The catalogue: one small TOML file for each code, read when the code is raised.

A file holds `name`, `severity`, `summary`, the `message` and the `hint` (templates
in `str.format` syntax), for people `explain`, `wrong` and `right`, and `together` where a
finding depends on the other files of a run.
"""

import os
from functools import cache

from pinroute.diagnostics.model import Diagnostic, Path, Related, Rule, Severity, Span

FOLDER = os.path.join(os.path.dirname(__file__), "catalogue")
LONGEST = 200


def codes() -> tuple[str, ...]:
    """Return every code of the catalogue, in order."""
    return tuple(
        sorted(name.removesuffix(".toml") for name in os.listdir(FOLDER) if name[:3] == "PIN")
    )


@cache
def rule(code: str) -> Rule:
    """Return the rule of a code; raises KeyError for a code that does not exist."""
    import tomllib

    try:
        with open(os.path.join(FOLDER, f"{code}.toml"), "rb") as file:
            entry = tomllib.load(file)
    except OSError:
        raise KeyError(code) from None
    return Rule(
        code=code,
        name=entry["name"],
        severity=Severity(entry["severity"]),
        summary=entry["summary"],
        message=entry["message"],
        hint=entry.get("hint", ""),
        explain=entry["explain"],
        wrong=entry.get("wrong", ""),
        right=entry.get("right", ""),
        together=entry.get("together", False),
    )


def is_fixed(code: str) -> bool:
    """Tell whether findings of a code stop the compiler: none can be lowered or hidden.

    Errors of VirtualServices that pinroute did not write (PIN3xx) stop nothing.
    """
    return rule(code).severity is Severity.ERROR and not code.startswith("PIN3")


def is_together(code: str) -> bool:
    """Tell whether findings of a code depend on the other files of a run."""
    try:
        return rule(code).together
    except KeyError:
        return False


def diagnose(
    code: str,
    span: Span,
    path: Path = (),
    /,
    *,
    related: tuple[Related, ...] = (),
    hint: str | None = None,
    **values: object,
) -> Diagnostic:
    """Make a finding: the catalogue's words, filled with `values`."""
    kind = rule(code)
    values = {name: _short(value) for name, value in values.items()}
    if hint is None:
        hint = kind.hint.format_map(values)
    return Diagnostic(
        span=span,
        code=code,
        name=kind.name,
        severity=kind.severity,
        message=kind.message.format_map(values),
        hint=hint,
        path=path,
        related=related,
    )


def _short(value: object) -> object:
    """Keep a message readable where a value is a whole page."""
    if isinstance(value, str) and len(value) > LONGEST:
        return value[: LONGEST - 1] + "…"
    return value
