"""The command line: one module a command, imported when the command is called."""

import gc
import os
import sys

from pinroute.cli.exits import Ended, Exit, Interrupted, Misuse, Unwritable
from pinroute.cli.leaving import leave
from pinroute.cli.plain import plain_call
from pinroute.cli.terminal import drop_output, err

# Name -> what `pinroute --help` says about it, in the order of a user's day.
COMMANDS = {
    "init": "Write a first experiment spec.",
    "validate": "Check specs without compiling them.",
    "compile": "Compile specs to Istio manifests.",
    "lookup": "Tell which version a user meets, and why.",
    "impact": "Tell which users a change moves, before it is merged.",
    "simulate": "Count users by version, as expected and in a file of hashes.",
    "stage": "Show or set the live stage of a spec.",
    "promote": "Show the phases in which a version takes over, and prove them.",
    "stick": "Turn the weighted split of a VirtualService into a sticky one.",
    "fmt": "Format specs; comments are kept.",
    "verify": "Prove that a VirtualService does what a spec promises, or ask a gateway.",
    "diff": "Show what apply would change in a cluster.",
    "apply": "Bring experiments to a cluster, server-side.",
    "delete": "End experiments: everybody meets the baseline, no host loses its route.",
    "status": "Show how experiments stand in a cluster.",
    "doctor": "Ask a cluster whether an experiment can work there.",
    "rbac": "Print the Kubernetes rights that each use needs.",
    "try": "Send every user hash through a real Envoy on this machine.",
    "observability": "Show how Prometheus counts groups and buckets, and what it costs.",
    "explain": "Explain a finding or a field of the spec.",
    "schema": "Print a JSON Schema.",
    "completion": "Print a shell completion script.",
    "version": "Print the version.",
}


def main(arguments: list[str] | None = None) -> None:
    """Run pinroute and exit; every error becomes a sentence and an exit code."""
    gc.disable()  # a short run makes no garbage worth collecting
    words = sys.argv[1:] if arguments is None else arguments
    # A stream that whoever started us has closed takes everything and keeps nothing.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        code = _run(words)
        sys.stdout.flush()
    except Ended as end:
        code = end.code
    except (Misuse, Unwritable) as error:
        code = _complain(str(error))
    except Interrupted as error:
        err(f"interrupted: {error}\n")
        code = Exit.INTERRUPTED
    except KeyboardInterrupt:
        err("interrupted\n")
        code = Exit.INTERRUPTED
    except BrokenPipeError:  # the reader went away, as `| head` does: say nothing
        drop_output()
        code = Exit.NO
    except OSError as error:  # the disk behind stdout is full, or the like
        drop_output()
        code = _complain(f"cannot write {error.filename or 'stdout'}: {error.strerror or error}")
    except Exception as error:  # the last resort: a bug must not look like an answer
        code = _bug(error)
    leave(code, last=arguments is None)


def _run(words: list[str]) -> int:
    """Run the plain form of a command, or let click read the words."""
    call = plain_call(words, os.environ)
    if call is not None:
        return call()
    from pinroute.cli.group import run

    return run(words)


def _complain(message: str) -> Exit:
    err(f"Error: {message}\n")
    return Exit.USAGE


def _bug(error: Exception) -> Exit:
    if os.environ.get("PINROUTE_DEBUG"):
        import traceback

        traceback.print_exc()
    name = type(error).__name__
    err(f"pinroute: this is a bug, please report it: {name}: {error}\n")
    err("(PINROUTE_DEBUG=1 shows where)\n")
    return Exit.BUG
