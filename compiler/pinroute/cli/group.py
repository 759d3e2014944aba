"""The group of all commands, read by click."""

import os
import sys
from importlib import import_module

import click

from pinroute import __version__
from pinroute.cli import COMMANDS
from pinroute.cli.exits import Exit, epilog
from pinroute.diagnostics.nearest import did_you_mean

COMPLETE = "_PINROUTE_COMPLETE"
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that imports a command when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pinroute.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]  # click may take it out
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            hint = did_you_mean(name, COMMANDS)
            raise click.UsageError(f"there is no command {name!r}: {hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={**SETTINGS, "auto_envvar_prefix": "PINROUTE"},
    epilog=epilog(),
    help="""The same user always meets the same version.

    Compiles experiment specs (which user hashes meet which version of a service) to
    Istio routing, and proves that the rules say what the spec says.

    \b
      pinroute init experiment.yaml
      pinroute validate experiment.yaml
      pinroute compile experiment.yaml | kubectl apply -f -
      pinroute compile experiments/ -d deploy/
      pinroute lookup 1010101010 -f experiment.yaml
    """,
)
@click.version_option(__version__, "-V", "--version", message="pinroute %(version)s")
def root() -> None:
    """Hold the commands."""


def program(called: str) -> str:
    """Return how the user calls us: a plugin is a word behind kubectl."""
    is_plugin = os.path.basename(called).startswith("kubectl-")
    return "kubectl pinroute" if is_plugin else "pinroute"


def run(words: list[str]) -> int:
    """Let click read the words and run a command; return its exit code."""
    try:
        code = root.main(
            args=words,
            prog_name=program(sys.argv[0]),
            complete_var=COMPLETE,
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else Exit.OK
