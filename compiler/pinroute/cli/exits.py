"""What the exit codes mean. The only table of them; `--help` and the README print it."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes: above 1 there was no answer."""

    OK = 0
    NO = 1
    USAGE = 2
    BACKEND = 3
    TIMEOUT = 4
    BUG = 70
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done; valid; no difference",
    Exit.NO: "the answer is no: findings, drift, differences",
    Exit.USAGE: "usage, or input that cannot be read or output that cannot be written",
    Exit.BACKEND: "Envoy, the cluster or a metrics backend failed or refused",
    Exit.TIMEOUT: "timed out",
    Exit.BUG: "a bug in pinroute",
    Exit.INTERRUPTED: "interrupted",
}


class Misuse(Exception):
    """A combination of options and input that makes no sense; exits with USAGE."""


class Ended(Exception):
    """The command is over, and everything was told."""

    def __init__(self, code: Exit):
        super().__init__()
        self.code = code


class Interrupted(Exception):
    """What somebody else has ended, and so has no answer; exits with INTERRUPTED."""


class Unwritable(Exception):
    """A file that cannot be written; exits with USAGE."""

    def __init__(self, error: OSError, name: str):
        place = error.filename2 or error.filename or name  # renaming names two files
        super().__init__(f"cannot write {place}: {error.strerror or error}")


def epilog() -> str:
    """Return the table for the end of a help text."""
    lines = (f"  {code:>3}  {text}" for code, text in MEANING.items())
    return "\b\nExit codes:\n" + "\n".join(lines)
