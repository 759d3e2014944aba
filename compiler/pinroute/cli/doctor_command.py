"""pinroute doctor: can an experiment work in this cluster, and what stands in its way?"""

from typing import TYPE_CHECKING, Any

import click

from pinroute.cli.cluster_options import counters_option
from pinroute.cli.connection import (
    Chosen,
    choice_options,
    connected,
    connection_options,
    experiments,
    gateways_at,
    pass_on,
)
from pinroute.cli.exits import Exit, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options
from pinroute.cli.report import dumped
from pinroute.cli.terminal import out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pinroute.cluster.doctor.answer import Answer
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
@counters_option
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@connection_options
def command(use: str | None, gateways: tuple[str, ...], output: str, **choice: Any) -> int:
    """Ask all questions about each experiment."""
    chosen = Chosen(**choice)
    found = experiments(chosen)
    items: dict[str, list[Answer]] = {}
    for name, answer in _answers(chosen, found, use, gateways_at(gateways)):
        if output == "text":
            if len(found) > 1 and name not in items:
                out(f"{name}\n" if not items else f"\n{name}\n")
            out(_line(answer))
        items.setdefault(name, []).append(answer)
    if output == "json":
        out(_json(items))
    from pinroute.cluster.doctor.answer import PROBLEM

    bad = any(answer.state == PROBLEM for answers in items.values() for answer in answers)
    return Exit.NO if bad else Exit.OK


def _answers(
    chosen: Chosen, found: "Sequence[Compiled]", use: str | None, asked: "Sequence[Gateway]"
) -> "Iterator[tuple[str, Answer]]":
    """Yield the answers, each with the name of its experiment.

    A cluster that fails is an answer, and the last.
    """
    from pinroute.change.serving import identity
    from pinroute.cluster.api.failure import ClusterFailure
    from pinroute.cluster.doctor.answer import PROBLEM, Answer
    from pinroute.cluster.doctor.case import Case
    from pinroute.cluster.doctor.examination import examine
    from pinroute.cluster.view import View

    names = ["/".join(identity(one)) for one in found]
    name = names[0]
    try:
        client = connected(chosen)
        view = View(client)
        for name, compiled in zip(names, found, strict=True):
            for answer in examine(Case(compiled, client, view, use, asked)):
                yield name, answer
    except ClusterFailure as failure:
        hint = failure.hint or "mend this first: without the API server nothing can be asked"
        yield name, Answer("api server", PROBLEM, str(failure), hint)
        return
    pass_on(client, view.unseen())


def _line(answer: "Answer") -> str:
    text = f"{answer.state:<9}{answer.question:<20}{answer.detail}\n"
    hinted = answer.hint and answer.state != "ok"
    return text + (f"{'':<9}{'':<20}hint: {answer.hint}\n" if hinted else "")


def _json(items: "Mapping[str, Sequence[Answer]]") -> str:
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
                for name, answers in items.items()
            ],
        }
    )
