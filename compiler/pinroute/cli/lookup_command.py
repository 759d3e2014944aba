"""pinroute lookup: which version a user meets, by which rule, and why."""

import sys
from itertools import islice
from pathlib import Path

import click

from pinroute.checks.resources import outlines_of, resources_of
from pinroute.cli.compiled import chosen, compiled_or_exit, looking_at_users
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_source, read_sources, value_lines
from pinroute.cli.report import dumped
from pinroute.cli.table import columns
from pinroute.cli.terminal import err, out
from pinroute.compilation import Compiled
from pinroute.lookup import Answer, look_up, look_up_many
from pinroute.routing import (
    NotServed,
    Reached,
    Request,
    absent_delegates,
    each_match,
    look_up_services,
)
from pinroute.stages.parts import Part

CHUNK = 50_000


@click.command(
    "lookup",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Tell which version a user meets.",
    help="""Tell which version a user meets, by which rule, and why.

    \b
      pinroute lookup 1010101010 1111100000 -f experiment.yaml
      pinroute lookup --absent -f experiment.yaml
      pinroute lookup 1010101010 -f experiment.yaml --stage promote-v2 -o json
      pinroute lookup --hashes hashes.txt -f experiment.yaml > versions.tsv

    FILE can also hold VirtualServices, hand-written or of another tool, also several for
    one host, and delegates: they are joined as Istio joins them. Asked is '/' of each
    first host, unless --host, --path, --method or --gateway say otherwise.

    With --each-match, every match of the VirtualServices is listed with a request that
    reaches it; a dead one with the match before it that takes all of its requests.

    With --hashes, one value a line, the answer is one line each, as tab-separated
    value, version and group, and where the spec has buckets the number of the bucket.
    """,
)
@click.argument("values", nargs=-1, metavar="[VALUE]...")
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, metavar="FILE", help="The spec."
)
@click.option("--absent", is_flag=True, help="Also a request that carries no hash.")
@click.option(
    "--each-match", "every", is_flag=True, help="In VirtualServices: a request for each match."
)
@click.option(
    "--hashes", metavar="FILE", help="Read values from a file, or - for stdin, one a line."
)
@click.option(
    "--header", metavar="NAME", help="In a VirtualService: the header that carries the hash."
)
@click.option("--host", metavar="HOST", help="In VirtualServices: the host to ask.")
@click.option("--path", metavar="PATH", help="In VirtualServices: the path, by default '/'.")
@click.option("--method", metavar="METHOD", help="In VirtualServices: by default GET.")
@click.option(
    "--gateway", metavar="NAMESPACE/NAME", help="In VirtualServices: the Gateway, or 'mesh'."
)
@click.option("--stage", metavar="STAGE", help="Look into this stage instead of spec.stage.")
@click.option("--experiment", metavar="NAME", help="Only this experiment of the files.")
@click.option(
    "--env", "environment", metavar="FILE", help="An Environment: what differs by cluster."
)
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    values: tuple[str, ...],
    filenames: tuple[str, ...],
    absent: bool,
    every: bool,
    hashes: str | None,
    header: str | None,
    host: str | None,
    path: str | None,
    method: str | None,
    gateway: str | None,
    stage: str | None,
    experiment: str | None,
    environment: str | None,
    output: str,
) -> int:
    """Look values up."""
    if not values and not absent and not every and hashes is None:
        raise click.UsageError("name a value, or --absent, or --hashes FILE")
    if every and (values or absent or hashes is not None or output == "json"):
        raise click.UsageError("--each-match stands alone, and prints a table")
    asked: list[str | None] = [*values, *([None] if absent else [])]
    if hashes is not None and (values or absent or output == "json"):
        raise click.UsageError("--hashes stands alone, and prints tab-separated lines")
    sources, found = read_sources((), filenames)
    overlay = read_source(environment, found) if environment is not None else None
    compilation = compiled_or_exit(sources, found, environment=overlay, stage=stage)
    resources = None
    if not compilation.experiments:
        resources = resources_of(outlines_of(compilation.others))
    if resources is not None and resources.outlines:
        if hashes is not None:
            raise click.UsageError("--hashes takes an experiment, not a VirtualService")
        request = Request(host, path or "/", method or "GET", gateway, header)
        try:
            for key in absent_delegates(resources):
                err(f"delegate {key} is not in the files: its rule is left out\n")
            if every:
                out(_reached(list(each_match(resources, request))))
                return Exit.OK
            answers = list(look_up_services(resources, request, asked))
        except NotServed as error:
            raise Misuse(str(error)) from None
        out(_json(answers) if output == "json" else _text(answers))
        return Exit.OK
    for name, given in (
        ("each-match", every or None),
        ("host", host),
        ("path", path),
        ("method", method),
        ("gateway", gateway),
    ):
        if given is not None:
            raise click.UsageError(f"--{name} is for VirtualServices: a spec says its own")
    experiments = looking_at_users(chosen(compilation, experiment))
    if hashes is not None:
        if len(experiments) != 1:
            raise click.UsageError("--hashes takes one experiment: choose it with --experiment")
        return _many(experiments[0], hashes)
    answers = [answer for value in asked for one in experiments for answer in look_up(one, value)]
    out(_json(answers) if output == "json" else _text(answers))
    return Exit.OK


def _many(compiled: Compiled, name: str) -> int:
    """Print a line for each value, in pieces, so that memory does not grow with the answer."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise click.ClickException(f"cannot read {name}: {error.strerror or error}") from None
    values = value_lines(data)
    endings: dict[int, str] = {}
    buckets = compiled.checked.spec.experiment.buckets is not None

    def ending(part: Part) -> str:
        """Return what follows a value; parts are few, and stay as long as their table."""
        text = f"\t{part.version}\t{part.label}"
        if buckets:
            text += f"\t{'' if part.bucket is None else part.bucket}"
        return endings.setdefault(id(part), f"{text}\n")

    lines = (
        value + (endings.get(id(part)) or ending(part))
        for value, part in zip(values, look_up_many(compiled, values), strict=True)
    )
    out = sys.stdout.buffer
    while chunk := list(islice(lines, CHUNK)):
        out.write("".join(chunk).encode("utf-8", "surrogateescape"))
    return Exit.OK


def _text(answers: list[Answer]) -> str:
    heads = ["VALUE", "VERSION", "GROUP", "RULE", "DESTINATION", "WHY"]
    rows = [
        [
            "<absent>" if answer.value is None else answer.value or '""',
            answer.version,
            answer.group,
            answer.rule,
            answer.destination,
            answer.why,
        ]
        for answer in answers
    ]
    if any(answer.bucket is not None for answer in answers):
        heads.insert(3, "BUCKET")
        for row, answer in zip(rows, answers, strict=True):
            row.insert(3, "-" if answer.bucket is None else str(answer.bucket))
    if len({answer.experiment for answer in answers}) > 1:
        heads.insert(1, "EXPERIMENT")
        for row, answer in zip(rows, answers, strict=True):
            row.insert(1, answer.experiment)
    if len({answer.route for answer in answers}) > 1:
        heads.insert(1, "ROUTE")
        for row, answer in zip(rows, answers, strict=True):
            row.insert(1, answer.route)
    return columns(heads, rows)


def _reached(found: list[Reached]) -> str:
    rows = [[one.host, one.rule, one.match, _request(one), one.destination] for one in found]
    heads = ["HOST", "RULE", "MATCH", "REQUEST", "DESTINATION"]
    if len({one.service for one in found}) > 1:
        heads.insert(1, "VIRTUALSERVICE")
        for row, one in zip(rows, found, strict=True):
            row.insert(1, one.service)
    return columns(heads, rows)


def _request(found: Reached) -> str:
    """Return a request in short; the host is the one of the row unless it says another."""
    call = found.call
    if call is None:
        return "none was found" if found.by is None else f"never: {found.by} takes all"
    path = call.path if call.host == found.host else f"{call.host}{call.path}"
    headers = [f"{name}: {line}" for name, lines in call.headers.items() for line in lines]
    return ", ".join([f"{call.method} {path}", *headers])


def _json(answers: list[Answer]) -> str:
    items = []
    for answer in answers:
        item: dict[str, object] = {} if answer.value is None else {"value": answer.value}
        item["absent"] = answer.value is None
        fields = answer._asdict()
        del fields["value"]
        item.update({name: found for name, found in fields.items() if found not in ("", None)})
        items.append(item)
    return dumped({"kind": "Lookup", "items": items})
