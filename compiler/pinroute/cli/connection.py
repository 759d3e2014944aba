"""Which cluster a command works on, which experiments, and how a failure is told."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pinroute.cli.compiled import compiled_or_exit
from pinroute.cli.exits import Exit, Misuse
from pinroute.cli.inputs import read_source, read_sources
from pinroute.cli.selector import Selector, selector_of
from pinroute.cli.terminal import RED, colours, err, styled
from pinroute.compilation import Compiled

if TYPE_CHECKING:
    from pinroute.cluster.api.client import Client
    from pinroute.cluster.api.failure import ClusterFailure
    from pinroute.cluster.gateways import Gateway

F = TypeVar("F", bound=Callable[..., Any])


class Chosen(NamedTuple):
    """What the options say: files, which experiments of them, and which cluster."""

    files: tuple[str, ...] = ()
    filenames: tuple[str, ...] = ()
    recursive: bool = False
    environment: str | None = None
    stage: str | None = None
    namespace: str | None = None
    selector: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    request_timeout: str = "30s"


def chosen_of(options: Mapping[str, Any]) -> Chosen:
    """Return what the options of a command choose; it may have others beside them."""
    return Chosen(**{name: options[name] for name in Chosen._fields if name in options})


def connection_options(command: F) -> F:
    """Add --context, --kubeconfig, -n and --request-timeout: kubectl's options."""
    import click

    for decorate in (
        click.option(
            "--request-timeout",
            default="30s",
            show_default=True,
            metavar="TIME",
            help="The longest that one request to the API server may take; 0 is no limit.",
        ),
        click.option(
            "-n", "--namespace", metavar="NAME", help="The namespace; a spec may name no other."
        ),
        click.option(
            "--kubeconfig",
            metavar="FILE",
            help="The kubeconfig; else $KUBECONFIG, as kubectl does.",
        ),
        click.option("--context", metavar="NAME", help="The context of the kubeconfig."),
    ):
        command = decorate(command)
    return command


def choice_options(*, stage: bool = True) -> Callable[[F], F]:
    """Return what adds -l, --env and, where it may be chosen, --stage."""
    import click

    def decorate(command: F) -> F:
        options = [
            click.option(
                "-l",
                "--selector",
                metavar="LABELS",
                help="Only experiments with these labels: name=value, comma-separated.",
            ),
            click.option(
                "--env",
                "environment",
                metavar="FILE",
                help="An Environment: what differs by cluster.",
            ),
        ]
        if stage:
            options.append(
                click.option("--stage", metavar="STAGE", help="This stage instead of spec.stage.")
            )
        for option in options:
            command = option(command)
        return command

    return decorate


def experiments(chosen: Chosen) -> list[Compiled]:
    """Return the experiments that were chosen; stops where one does not compile."""
    selector = selector_of(chosen.selector) if chosen.selector is not None else None
    sources, unread = read_sources(chosen.files, chosen.filenames, chosen.recursive)
    overlay = read_source(chosen.environment, unread) if chosen.environment is not None else None
    compilation = compiled_or_exit(sources, unread, environment=overlay, stage=chosen.stage)
    if not compilation.experiments:
        raise Misuse("the files hold no experiment")
    found = [one for one in compilation.experiments if _is_selected(one, selector)]
    if not found:
        raise Misuse(f"--selector {chosen.selector}: no experiment has these labels")
    for one in found:
        experiment = one.checked.spec.experiment
        own = experiment.namespace or "default"
        if chosen.namespace is not None and own != chosen.namespace:
            raise Misuse(
                f"experiment {experiment.name} is of namespace {own!r}, --namespace says "
                f"{chosen.namespace!r}: set metadata.namespace, or leave the option out"
            )
    return found


def _is_selected(compiled: Compiled, selector: Selector | None) -> bool:
    if selector is None:
        return True
    from pinroute.spec.nodes import Mapping, Scalar

    node = compiled.checked.spec.document.node(("metadata", "labels"))
    entries = node.entries if isinstance(node, Mapping) else {}
    return selector.takes(
        {name: item.text for name, item in entries.items() if isinstance(item, Scalar)}
    )


def connected(chosen: Chosen) -> "Client":
    """Return the way to the cluster; nothing is sent yet."""
    try:
        from pinroute.cluster.api.access import Access, connect
    except ModuleNotFoundError as error:
        raise _not_installed(error) from None
    timeout = duration("--request-timeout", chosen.request_timeout)
    if timeout > _DAY:
        raise Misuse(f"--request-timeout {chosen.request_timeout!r}: a day is the most")
    try:
        # As with kubectl, 0 is no limit.
        client = connect(Access(chosen.kubeconfig, chosen.context, timeout or None))
    except ModuleNotFoundError as error:
        raise _not_installed(error) from None
    if not client.is_verified:
        err(f"Warning: the kubeconfig turns TLS verification off for {client.server}\n")
    if client.is_in_the_clear:
        err(f"Warning: {client.server} is asked in plain HTTP: everybody on the way reads along\n")
    return client


def gateways_at(urls: Sequence[str]) -> "list[Gateway]":
    """Return the gateways of --gateway-admin; stops at what is no URL."""
    if not urls:
        return []
    from pinroute.cluster.gateways import gateway

    found: list[Gateway] = []
    for url in urls:
        asked = gateway(url)
        if asked is None:
            raise Misuse(f"--gateway-admin {url!r} is no URL such as http://127.0.0.1:15000")
        found.append(asked)
    return found


def namespace_of(chosen: Chosen) -> str:
    """Return the namespace that -n names, else that of the context."""
    from pinroute.cluster.api.access import Access, namespace

    return chosen.namespace or namespace(Access(chosen.kubeconfig, chosen.context))


_DAY = 24 * 3600.0


def _not_installed(error: ModuleNotFoundError) -> Misuse:
    return Misuse(f"{error.name} is not installed: pip install 'pinroute[cluster]'")


def duration(option: str, text: str) -> float:
    """Return seconds of a time as kubectl has it: 30s, 1m30s, 500ms, or plain seconds."""
    import re

    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
        raise Misuse(f"{option} {text!r} is no time: write 30s or 1m30s")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    return sum(float(number) * units[unit] for number, unit in parts)


def tell(failure: "ClusterFailure") -> Exit:
    """Print what went wrong between us and the cluster, and return the exit code."""
    word = styled("Error", RED) if colours(sys.stderr) else "Error"
    err(f"{word}: {failure}\n" + (f"  hint: {failure.hint}\n" if failure.hint else ""))
    return failure_code(failure)


def failure_code(failure: "ClusterFailure") -> Exit:
    """Return the exit code of a failure."""
    from pinroute.cluster.api.failure import Unconfigured

    if isinstance(failure, Unconfigured):
        return Exit.USAGE
    return Exit.TIMEOUT if failure.timed_out else Exit.BACKEND


def pass_on(client: "Client", unseen: Sequence[str] = ()) -> None:
    """Print what the API server warned of, and what could not be looked at."""
    err("".join(f"Warning: {text}\n" for text in client.warnings()))
    err("".join(f"{text}\n" for text in unseen))
