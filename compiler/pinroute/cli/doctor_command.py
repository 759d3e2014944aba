"""pinroute doctor: can an experiment work in this cluster, and what stands in its way?"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinroute.cli.connection import (
    Chosen,
    choice_options,
    connected,
    connection_options,
    experiments,
    pass_on,
)
from pinroute.cli.exits import Exit, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options
from pinroute.cli.report import dumped
from pinroute.cli.terminal import out

if TYPE_CHECKING:
    from pinroute.cluster.answer import Answer
    from pinroute.cluster.gateways import Gateway
    from pinroute.compilation import Compiled

USES = ("status", "verify", "diff", "apply", "prune", "delete", "promote")


@click.command(
    "doctor",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Ask a cluster whether an experiment can work there.",
    help="""Ask a cluster whether an experiment can work there. Nothing is written.

    One question after the other: is the API server there, what are we allowed, are the kinds
    installed, does the Gateway serve the host, does it see the VirtualService, who else claims
    the host, can users choose their own hash, are requests counted by group, are Services
    called as the spec's platform calls them, are backends ready, who owns the objects, what
    does it cost. An answer is ok, warning, problem or unknown; exit code 1 tells of a problem.

    A right that is missing is a warning, and a problem with --for.

    \b
      pinroute doctor -f experiment.yaml
      pinroute doctor -f experiment.yaml --for apply -o json
      pinroute doctor -f experiment.yaml --gateway-admin http://127.0.0.1:15000
    """,
)
@input_options
@choice_options()
@click.option("--for", "use", type=click.Choice(USES), help="What has to be allowed.")
@click.option(
    "--gateway-admin",
    "gateways",
    multiple=True,
    metavar="URL",
    help="Read the counters of this gateway pod's Envoy. Can be repeated.",
)
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@connection_options
def command(use: str | None, gateways: tuple[str, ...], output: str, **choice: Any) -> int:
    """Ask all questions about each experiment."""
    chosen = Chosen(**choice)
    found = experiments(chosen)
    asked = _gateways(gateways)
    items: list[tuple[str, list[Answer]]] = []
    for number, compiled in enumerate(found):
        experiment = compiled.checked.spec.experiment
        name = f"{experiment.namespace or 'default'}/{experiment.name}"
        if output == "text" and len(found) > 1:
            out(f"{name}\n" if not number else f"\n{name}\n")
        answers: list[Answer] = []
        for answer in _answers(chosen, compiled, use, asked):
            answers.append(answer)
            if output == "text":
                out(_line(answer))
        items.append((name, answers))
    if output == "json":
        out(_json(items))
    from pinroute.cluster.answer import PROBLEM

    bad = any(answer.state == PROBLEM for _, answers in items for answer in answers)
    return Exit.NO if bad else Exit.OK


def _gateways(urls: Sequence[str]) -> "list[Gateway]":
    if not urls:
        return []
    from pinroute.cli.listing import gateways_at

    return gateways_at(urls)


def _answers(
    chosen: Chosen, compiled: "Compiled", use: str | None, asked: "Sequence[Gateway]"
) -> "Iterator[Answer]":
    """Yield the answers; a cluster that fails is one of them, and the last."""
    from pinroute.cluster.answer import PROBLEM, Answer
    from pinroute.cluster.case import Case
    from pinroute.cluster.examination import examine
    from pinroute.cluster.failure import ClusterFailure
    from pinroute.cluster.view import View

    try:
        client = connected(chosen)
        view = View(client)
        yield from examine(Case(compiled, client, view, use, asked))
    except ClusterFailure as failure:
        hint = failure.hint or "mend this first: without the API server nothing can be asked"
        yield Answer("api server", PROBLEM, str(failure), hint)
        return
    pass_on(client, view.unseen())


def _line(answer: "Answer") -> str:
    text = f"{answer.state:<9}{answer.question:<20}{answer.detail}\n"
    hinted = answer.hint and answer.state != "ok"
    return text + (f"{'':<9}{'':<20}hint: {answer.hint}\n" if hinted else "")


def _json(items: "Sequence[tuple[str, Sequence[Answer]]]") -> str:
    """Return the JSON of schemas/cli/examination.schema.json."""
    return dumped(
        {
            "kind": "Examination",
            "items": [
                {
                    "namespace": name.partition("/")[0],
                    "name": name.partition("/")[2],
                    "answers": [answer._asdict() for answer in answers],
                }
                for name, answers in items
            ],
        }
    )
