"""Did you mean …: the known name that is closest to an unknown one."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the closest of `known`, or None where nothing is close."""
    import difflib

    found = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint: the closest name, or the names there are."""
    names = sorted(set(known))
    close = nearest(name, names)
    if close is not None:
        return f"did you mean {close!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:16]) + (", …" if len(names) > 16 else "")
    return f"known: {shown}"
