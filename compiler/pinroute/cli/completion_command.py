"""pinroute completion: the script that teaches a shell to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from pinroute.cli.exits import Exit
from pinroute.cli.group import COMPLETE, SETTINGS, root


@click.command(
    "completion",
    context_settings=SETTINGS,
    short_help="Print a shell completion script.",
    help="""Print a shell completion script.

    \b
      source <(pinroute completion bash)
      pinroute completion zsh > "${fpath[1]}/_pinroute"
      pinroute completion fish > ~/.config/fish/completions/pinroute.fish

    kubectl's own completion asks us for `kubectl pinroute`: nothing is to be done for that.
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print a shell completion script."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(found(root, {}, "pinroute", COMPLETE).source(), nl=False)
    return Exit.OK
