"""pinroute observability: what lets Prometheus count groups and buckets at the gateway."""

from typing import Any, NamedTuple

import click

from pinroute.cli.compiled import compiled_or_exit
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_sources
from pinroute.cli.options import input_options
from pinroute.cli.report import dumped
from pinroute.cli.selector import selector_of
from pinroute.cli.table import columns
from pinroute.cli.terminal import err, out
from pinroute.compilation import Compiled
from pinroute.istio.counters import counters_of
from pinroute.manifest.dump import dump
from pinroute.manifest.observability import (
    Gateways,
    Series,
    gateway_patch,
    istio_operator,
    pod_monitor,
    scrape_config,
    series,
    stats_matcher,
)
from pinroute.manifest.relabelling import HISTOGRAM, LABELS, LATENCIES, MEAN, METRICS, Known
from pinroute.stages.stage import Stage, build_stage, stage_order

EVERY_STAGE = "all stages"


@click.command(
    "observability",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Show how Prometheus counts groups and buckets.",
    help="""Print what a gateway and Prometheus need to count groups and buckets, and what it costs.

    The gateway's Envoy counts by itself: the services change nothing. Set up once, it
    serves all experiments; with specs, their names become labels too.

    \b
      pinroute observability -f experiment.yaml
      pinroute observability experiments/ -l istio=public-gateway -n ingress
      pinroute observability -f experiment.yaml -o yaml --part pod-monitor | kubectl apply -f -
    """,
)
@input_options
@click.option(
    "-l",
    "--selector",
    default="istio=ingressgateway",
    show_default=True,
    metavar="LABEL=VALUE,...",
    help="The labels of the gateway's pods.",
)
@click.option(
    "-n",
    "--namespace",
    default="istio-system",
    show_default=True,
    help="The namespace of the gateway's pods.",
)
@click.option(
    "--latency",
    type=click.Choice(LATENCIES),
    default=HISTOGRAM,
    show_default=True,
    help="How much of it is kept: quantiles need the histogram.",
)
@click.option(
    "--part",
    type=click.Choice(["gateway", "mesh", "scrape-config", "pod-monitor"]),
    help="With -o yaml: only this document.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "yaml", "json"]),
    default="text",
    show_default=True,
)
def command(
    files: tuple[str, ...],
    filenames: tuple[str, ...],
    recursive: bool,
    selector: str,
    namespace: str,
    latency: str,
    part: str | None,
    output: str,
) -> int:
    """Print the configuration."""
    if part is not None and output != "yaml":
        raise click.UsageError("--part chooses a document of -o yaml")
    gateways = Gateways(namespace, _labels(selector))
    counted: list[Counted] = []
    if files or filenames:
        sources, unread = read_sources(files, filenames, recursive)
        compilation = compiled_or_exit(sources, unread)
        if not compilation.experiments:
            raise Misuse("the files hold no experiment")
        counted = [_counted(compiled) for compiled in compilation.experiments]
    for one in counted:
        if not one.stages[EVERY_STAGE]:
            err(f"{one.known.name}: output.statPrefixes is false: nothing is counted\n")
    pieces = _pieces(gateways, [one.known for one in counted], latency)
    if output == "json":
        out(_json(pieces, counted, latency))
    elif output == "yaml":
        chosen = [piece for piece in pieces if part in (None, piece.name)]
        out("---\n".join(f"# {piece.what}\n{dump(piece.body)}" for piece in chosen))
    else:
        out(_text(pieces, counted, latency))
    return Exit.OK


class Counted(NamedTuple):
    """An experiment, and how many statPrefixes and buckets it has by stage, the live one first."""

    known: Known
    live: str
    stages: dict[str, int]
    buckets: dict[str, int]


class Piece(NamedTuple):
    """A piece of configuration, and what it is for."""

    name: str
    what: str
    body: dict[str, Any]


def _labels(selector: str) -> dict[str, str]:
    """Return the labels of a selector; a PodMonitor and a scrape take equality alone."""
    found: dict[str, str] = {}
    for term in selector_of(selector).terms:
        if term.is_negated or term.values is None or len(term.values) != 1:
            raise click.UsageError(f"-l {selector!r}: write it as 'name=value,name=value'")
        (found[term.key],) = term.values
    return found


def _counted(compiled: Compiled) -> Counted:
    experiment = compiled.checked.spec.experiment
    manifests = compiled.checked.manifests
    stages = [build_stage(experiment, name, manifests) for name in stage_order(experiment)]
    live = next(stage for stage in stages if stage.name == compiled.live)
    items = [item for stage in stages for item in stage.routes.items]
    labels = dict.fromkeys(item.label for item in items if item.stat_prefix is not None)
    known = Known(
        experiment.name,
        experiment.namespace or "default",
        counters_of(experiment).id,
        tuple(labels),
    )
    groups = {live.name: [live], EVERY_STAGE: stages}
    return Counted(
        known,
        live.name,
        {name: len(_stat_prefixes(some)) for name, some in groups.items()},
        {name: len(_stat_prefixes(some, buckets=True)) for name, some in groups.items()},
    )


def _stat_prefixes(stages: list[Stage], *, buckets: bool = False) -> set[str]:
    return {
        item.stat_prefix
        for stage in stages
        for item in stage.routes.items
        if item.stat_prefix is not None and (item.bucket is not None or not buckets)
    }


def _pieces(gateways: Gateways, known: list[Known], latency: str) -> list[Piece]:
    return [
        Piece(
            "gateway",
            "kubectl patch deployment NAME --patch-file: the gateway counts (before Istio 1.23)",
            gateway_patch(dump(stats_matcher())),
        ),
        Piece("mesh", "istioctl install -f: all proxies count, sidecars too", istio_operator()),
        Piece(
            "scrape-config",
            "an entry of scrape_configs in prometheus.yml",
            scrape_config(gateways, known, latency),
        ),
        Piece(
            "pod-monitor",
            "kubectl apply -f: the same for the Prometheus operator",
            pod_monitor(gateways, known, latency),
        ),
    ]


_TEXT = """\
1. The gateway's pods. From Istio 1.23 on they count every statPrefix, and nothing is to do.
   Before that, `kubectl patch deployment NAME --patch-file` with this restarts them:

{gateway}
   Where the experiments are on the mesh, all proxies count: -o yaml --part mesh.

2. Prometheus: an entry of scrape_configs, once for all experiments. For the Prometheus
   operator: -o yaml --part pod-monitor.

{scrape}
3. There are then, with the labels {labels}:

{metrics}
"""


def _text(pieces: list[Piece], counted: list[Counted], latency: str) -> str:
    named = {piece.name: _indented(dump(piece.body)) for piece in pieces}
    text = _TEXT.format(
        gateway=named["gateway"],
        scrape=named["scrape-config"],
        labels=_lines(_labels_there(counted)),
        metrics=_indented("\n".join(_metrics(latency))),
    )
    if not counted:
        return text
    rows = [
        [
            f"{one.known.namespace}/{one.known.name}",
            stage,
            f"{number:,}",
            f"{one.buckets[stage]:,}",
            _range(series(number, latency)),
        ]
        for one in counted
        for stage, number in one.stages.items()
    ]
    heads = ["EXPERIMENT", "STAGE", "STATPREFIXES", "BUCKETS", "SERIES"]
    return f"{text}\n{_COST}\n{_indented(columns(heads, rows))}"


_COST = """\
4. What it costs, for each pod and port of the gateway. A statPrefix has its series from its
   first request on, and keeps them over later stages, until the pod restarts:
"""


def _lines(words: list[str]) -> str:
    """Return words in a sentence that is broken once, so that it fits under the others."""
    middle = len(words) // 2
    return f"{', '.join(words[:middle])},\n   {', '.join(words[middle:-1])} and {words[-1]}"


def _labels_there(counted: list[Counted]) -> list[str]:
    return [*LABELS, *(["experiment_namespace"] if counted else [])]


def _metrics(latency: str) -> list[str]:
    """Return the metrics that there are; a histogram is several series."""
    *counters, time = METRICS
    parts = {HISTOGRAM: ["_bucket", "_sum", "_count"], MEAN: ["_sum", "_count"]}
    return [*counters, *(time + part for part in parts.get(latency, []))]


def _range(found: Series) -> str:
    return f"{found.least:,} to {found.most:,}" if found.most else "0"


def _indented(text: str) -> str:
    return "".join(f"   {line}" if line.strip() else line for line in text.splitlines(True))


def _json(pieces: list[Piece], counted: list[Counted], latency: str) -> str:
    """Return the JSON of schemas/cli/observability.schema.json."""
    gateway, mesh, scrape, monitor = (piece.body for piece in pieces)
    return dumped(
        {
            "kind": "Observability",
            **stats_matcher(),
            "gatewayPatch": gateway,
            "istioOperator": mesh,
            "scrapeConfig": scrape,
            "podMonitor": monitor,
            "metrics": _metrics(latency),
            "labels": _labels_there(counted),
            "experiments": [
                {
                    "name": one.known.name,
                    "namespace": one.known.namespace,
                    "id": one.known.id,
                    "stage": one.live,
                    "live": _cost(one, one.live, latency),
                    "allStages": _cost(one, EVERY_STAGE, latency),
                }
                for one in counted
            ],
        }
    )


def _cost(counted: Counted, stage: str, latency: str) -> dict[str, object]:
    number = counted.stages[stage]
    return {
        "statPrefixes": number,
        "buckets": counted.buckets[stage],
        "series": series(number, latency)._asdict(),
    }
