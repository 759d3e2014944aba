"""Run a command that dies with whoever started it, also when that was killed.

    python leash.py PARENT COMMAND ARGUMENT…

PARENT is the process id of the starter: should it be gone already, nothing is run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; it outlives the exec


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606  no shell is what we want


if __name__ == "__main__":
    main()
