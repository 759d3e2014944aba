"""The command line: one module a command, imported when the command is called."""

import gc
import sys
from importlib import import_module
from typing import Any

import click

from pinroute import __version__
from pinroute.cli.exits import Exit, epilog

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
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from pinroute.diagnostics.nearest import did_you_mean

            hint = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx) from None

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


def main(arguments: list[str] | None = None) -> None:
    """Run pinroute and exit; every error becomes a sentence and an exit code."""
    gc.disable()  # a short run makes no garbage worth collecting
    try:
        result = root.main(args=arguments, prog_name="pinroute", standalone_mode=False)
        code = int(result) if isinstance(result, int) else Exit.OK
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        code = Exit.USAGE
    except click.ClickException as error:
        error.show()
        code = Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `| head` does; say nothing, also not at shutdown.
        sys.stdout = None
        code = Exit.NO
    except Exception as error:  # the last resort: a bug must not look like an answer
        code = _bug(error)
    sys.exit(code)


def _bug(error: Exception) -> Exit:
    import os
    import traceback

    if os.environ.get("PINROUTE_DEBUG"):
        traceback.print_exc()
    name = type(error).__name__
    click.echo(f"pinroute: this is a bug, please report it: {name}: {error}", err=True)
    click.echo("(PINROUTE_DEBUG=1 shows where)", err=True)
    return Exit.BUG


def result(code: Exit) -> Any:
    """Return an exit code from a command."""
    return int(code)
