"""pinroute verify: does a VirtualService do what the spec promises?"""

import click

from pinroute.cli.compiled import chosen, compiled_or_exit
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources
from pinroute.cli.report import dumped
from pinroute.cli.table import columns
from pinroute.cli.terminal import out
from pinroute.compilation import Compiled
from pinroute.istio.read import is_virtual_service
from pinroute.spec.nodes import Document
from pinroute.verification import Meeting, Proof, Unprovable, verify

SHOWN = 20


@click.command(
    "verify",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Prove that a VirtualService does what a spec promises.",
    help="""Prove that a VirtualService does what a spec promises, for every user hash.

    The VirtualService may be hand-written, fetched from a cluster, or edited since it was
    compiled; another order or other prefixes are fine as long as everybody meets what the
    spec says: destination, Host and version header. On a real Envoy: `pinroute try`.

    \b
      pinroute verify -f experiment.yaml --against deploy/checkout/active/virtualservice.yaml
      kubectl get virtualservice checkout -n shop -o yaml | pinroute verify -f experiment.yaml --against -
    """,
)
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE", help="The spec."
)
@click.option(
    "--against", required=True, metavar="FILE", help="The VirtualService, or - for stdin."
)
@click.option("--stage", metavar="STAGE", help="Compare this stage instead of spec.stage.")
@click.option("--experiment", metavar="NAME", help="Which experiment, if the files hold several.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    filenames: tuple[str, ...],
    against: str,
    stage: str | None,
    experiment: str | None,
    output: str,
) -> int:
    """Prove that a VirtualService does what a spec promises."""
    compiled = _experiment(filenames, stage, experiment)
    document = _service(against)
    try:
        proof = verify(compiled, document)
    except Unprovable as error:
        raise Misuse(f"{against}: {error}") from None
    out(_json(proof) if output == "json" else _text(proof))
    return Exit.NO if proof.differences else Exit.OK


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


def _shown(meeting: Meeting) -> str:
    return meeting.version or meeting.destination.rsplit("|", 1)[-1]


def _text(proof: Proof) -> str:
    compared = f"{proof.blocks:,} kinds of requests stand for {proof.hashes:,} user hashes"
    if not proof.differences:
        return f"the VirtualService does what the spec promises ({compared})\n"
    rows = [
        [
            "<absent>" if item.value is None else item.value or '""',
            item.group,
            _shown(item.promised),
            _shown(item.found),
            item.found.destination,
        ]
        for item in proof.differences[:SHOWN]
    ]
    more = len(proof.differences) - SHOWN
    rest = f"and {more:,} more\n" if more > 0 else ""
    heads = ["WITNESS", "GROUP", "PROMISED", "FOUND", "DESTINATION"]
    kinds = len(proof.differences)
    return f"{columns(heads, rows)}{rest}\n{kinds:,} of {compared} differ\n"


def _json(proof: Proof) -> str:
    items = [
        {
            "route": item.route,
            **({"value": item.value} if item.value is not None else {}),
            "absent": item.value is None,
            "group": item.group,
            "promised": item.promised._asdict(),
            "found": item.found._asdict(),
        }
        for item in proof.differences
    ]
    body = {
        "kind": "Verification",
        "blocks": proof.blocks,
        "hashes": proof.hashes,
        "differences": items,
    }
    return dumped(body)
