"""Completion of `kubectl pinroute`: kubectl runs `kubectl_complete-pinroute` with the words.

It prints a choice a line, and at the end what kubectl's shell functions do with them, as a
number of Cobra's: 4 is that file names do not fit here. Source: "kubectl plugins", and
`ShellCompDirective` of Cobra.
"""

import sys

from pinroute.cli.terminal import out

_FILES, _NO_FILES = 0, 4


def main() -> None:
    """Print the choices for the last of the words."""
    from click.shell_completion import ShellComplete

    from pinroute.cli.group import COMPLETE, root

    words = sys.argv[1:] or [""]
    found = ShellComplete(root, {}, "pinroute", COMPLETE).get_completions(words[:-1], words[-1])
    choices = [item for item in found if item.type == "plain"]
    for item in choices:
        out(f"{item.value}\t{item.help}\n" if item.help else f"{item.value}\n")
    # A word that is no option and no choice is the name of a file, for most commands.
    out(f":{_NO_FILES if choices else _FILES}\n")
