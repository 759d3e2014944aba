"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def input_options(command: F) -> F:
    """Add FILE…, -f and -R to a command."""
    for decorate in (
        click.option(
            "-R", "--recursive", is_flag=True, help="Also read folders inside of folders."
        ),
        click.option(
            "-f",
            "--filename",
            "filenames",
            multiple=True,
            metavar="FILE",
            help="A spec, a folder of specs, or - for stdin. Can be repeated.",
        ),
        click.argument("files", nargs=-1, metavar="[FILE]..."),
    ):
        command = decorate(command)
    return command


def policy_options(command: F) -> F:
    """Add --config, --isolated and --baseline to a command."""
    for decorate in (
        click.option("--baseline", metavar="FILE", help="Hide the findings that this file knows."),
        click.option("--isolated", is_flag=True, help="Read no configuration."),
        click.option(
            "--config",
            metavar="FILE",
            help="The configuration; else the next pinroute.yaml upwards.",
        ),
    ):
        command = decorate(command)
    return command
