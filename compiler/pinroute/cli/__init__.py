"""The command line: one module a command, imported when the command is called."""

import gc
import os
import sys

from pinroute.cli.exits import Exit, Misuse, Unwritable
from pinroute.cli.plain import plain_call

# Name -> what `pinroute --help` says about it, in the order of a user's day.
COMMANDS = {
    "init": "Write a first experiment spec.",
    "validate": "Check specs without compiling them.",
    "compile": "Compile specs to Istio manifests.",
    "lookup": "Tell which version a user meets, and why.",
    "stage": "Show or set the live stage of a spec.",
    "fmt": "Format specs; comments are kept.",
    "try": "Send every user hash through a real Envoy on this machine.",
    "explain": "Explain a finding or a field of the spec.",
    "schema": "Print a JSON Schema.",
    "completion": "Print a shell completion script.",
    "version": "Print the version.",
}


def main(arguments: list[str] | None = None) -> None:
    """Run pinroute and exit; every error becomes a sentence and an exit code."""
    gc.disable()  # a short run makes no garbage worth collecting
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(words)
        sys.stdout.flush()
    except (Misuse, Unwritable) as error:
        code = _complain(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `| head` does; say nothing, also not at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.NO
    except Exception as error:  # the last resort: a bug must not look like an answer
        code = _bug(error)
    sys.exit(code)


def _run(words: list[str]) -> int:
    """Run the plain form of a command, or let click read the words."""
    call = plain_call(words, os.environ)
    if call is not None:
        return call()
    from pinroute.cli.group import run

    return run(words)


def _complain(message: str) -> Exit:
    sys.stderr.write(f"Error: {message}\n")
    return Exit.USAGE


def _bug(error: Exception) -> Exit:
    if os.environ.get("PINROUTE_DEBUG"):
        import traceback

        traceback.print_exc()
    name = type(error).__name__
    sys.stderr.write(f"pinroute: this is a bug, please report it: {name}: {error}\n")
    sys.stderr.write("(PINROUTE_DEBUG=1 shows where)\n")
    return Exit.BUG
