"""Options of the commands that write to a cluster, or ask its gateways."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pinroute.cli.connection import duration, gateways_at

if TYPE_CHECKING:
    from pinroute.cli.applying import Request

F = TypeVar("F", bound=Callable[..., Any])


def writing_options(command: F) -> F:
    """Add --dry-run, --override-gitops, --force-conflicts, --field-manager and -o."""
    for decorate in (
        click.option(
            "-o",
            "--output",
            type=click.Choice(["text", "name"]),
            default="text",
            show_default=True,
        ),
        click.option(
            "--field-manager",
            default="pinroute",
            show_default=True,
            metavar="NAME",
            help="In whose name fields are managed.",
        ),
        click.option(
            "--force-conflicts", is_flag=True, help="Take over fields that somebody else manages."
        ),
        click.option(
            "--override-gitops",
            is_flag=True,
            help="Write also what Argo CD or Flux syncs from Git.",
        ),
        click.option(
            "--dry-run",
            type=click.Choice(["none", "client", "server"]),
            default="none",
            show_default=True,
            help="Write nothing: client only looks, server lets the API server and webhooks try.",
        ),
    ):
        command = decorate(command)
    return command


def gateway_options(command: F) -> F:
    """Add --gateway-admin and --timeout."""
    for decorate in (
        click.option(
            "--timeout",
            default="60s",
            show_default=True,
            metavar="TIME",
            help="How long gateways may take.",
        ),
        click.option(
            "--gateway-admin",
            "gateways",
            multiple=True,
            metavar="URL",
            help="Ask this gateway pod's Envoy: wait for its routes, take the write back if it "
            "refuses them.",
        ),
    ):
        command = decorate(command)
    return command


def counters_option(command: F) -> F:
    """Add --gateway-admin to a command that only reads."""
    return click.option(
        "--gateway-admin",
        "gateways",
        multiple=True,
        metavar="URL",
        help="Read the counters of this gateway pod's Envoy. Can be repeated.",
    )(command)


def request_of(options: Mapping[str, Any], expected: str | None = None) -> "Request":
    """Return what the options of `writing_options` and `gateway_options` ask for."""
    from pinroute.cli.applying import Request

    return Request(
        options["dry_run"],
        options["output"],
        gateways_at(options["gateways"]),
        duration("--timeout", options["timeout"]),
        expected,
    )
