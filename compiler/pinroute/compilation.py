"""The compiler as a library: sources in, manifests and findings out.

    parse -> shape -> resolve -> meaning -> tables -> RouteList -> manifests -> bytes

Pure: files are read by whoever calls, companions of a spec (a manifest that it names)
through the `read` function of its source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.istio.admission import check_admission
from pinroute.istio.emit import match_items
from pinroute.istio.limits import MAX_CLIENT_APPLY_BYTES, MAX_ITEMS, MAX_OBJECT_BYTES
from pinroute.manifest.bundle import Rendered, files, header, render
from pinroute.manifest.objects import digest
from pinroute.platforms.backends import check_backends
from pinroute.platforms.companions import companions
from pinroute.policy.standing import Policy, judge, stopped
from pinroute.spec.load import load as load_file
from pinroute.spec.meaning import Spec, check_meaning, not_built, stage_names
from pinroute.spec.model import Body, VersionName
from pinroute.spec.nodes import Document
from pinroute.spec.resolve import resolve
from pinroute.spec.scalars import value
from pinroute.spec.shape import errors
from pinroute.stages.stage import Stage, build_stage, stage_order

Read = Callable[[str], bytes]
CheckOthers = Callable[[Sequence[Document], Sequence[Spec]], list[Diagnostic]]

# What is known of a stage only after it was rendered, and what depends on the other files.
_OF_A_STAGE = frozenset({"PIN236", "PIN237"})
_OF_OTHERS = frozenset({"PIN235", *(f"PIN{number}" for number in range(317, 330))})


class Source(NamedTuple):
    """A file: how it is called in messages, its bytes, and how to read what stands beside it."""

    name: str
    data: bytes
    read: Read | None = None


class Checked(NamedTuple):
    """An experiment without errors: its spec, where it came from, and its companions."""

    spec: Spec
    source: Source
    digest: str
    manifests: Mapping[VersionName, Body]


class Compiled(NamedTuple):
    """A compiled experiment: the stages that were asked for, the live one by name."""

    checked: Checked
    live: str
    stages: tuple[Stage, ...]
    rendered: tuple[Rendered, ...]

    @property
    def file_name(self) -> str:
        """The name of the spec's file, without its folder: the same wherever it is compiled."""
        return self.checked.source.name.rsplit("/", 1)[-1]

    def files(self) -> Mapping[str, str]:
        """Return every file by its path below the experiment's folder; needs all stages."""
        experiment = self.checked.spec.experiment
        return files(experiment, self.rendered, self.live, self.file_name, self.checked.digest)

    def header(self) -> str:
        """Return the comment that stands above the live stage."""
        experiment = self.checked.spec.experiment
        return header(experiment, self.live, self.file_name, self.checked.digest)


class Specs(NamedTuple):
    """What was read: experiments without errors, documents of other kinds, all findings."""

    experiments: tuple[Checked, ...]
    others: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]


class Compilation(NamedTuple):
    """The result of a run; `experiments` is empty if some finding is an error.

    `hidden` are the findings of the baseline, `documents` those that were read of any kind.
    """

    experiments: tuple[Compiled, ...]
    diagnostics: tuple[Diagnostic, ...]
    others: tuple[Document, ...] = ()
    hidden: tuple[Diagnostic, ...] = ()
    documents: tuple[Document, ...] = ()

    @property
    def failed(self) -> bool:
        """Tell whether some finding is an error."""
        return errors(self.diagnostics)


def load(
    sources: Iterable[Source],
    environment: Source | None = None,
    check_others: CheckOthers | None = None,
) -> Specs:
    """Read and check specs; every finding of every file at once, in order.

    `check_others` looks at the documents of other kinds, which are left alone without it,
    and at the specs beside them.
    """
    specs, texts, documents = _load(sources, environment, check_others)
    sure = _sure(all_stages=False, others=check_others is not None)
    standing, _ = judge(specs.diagnostics, texts, documents, Policy(), sure)
    return specs._replace(diagnostics=standing)


def _load(
    sources: Iterable[Source], environment: Source | None, check_others: CheckOthers | None
) -> tuple[Specs, Mapping[str, str], Sequence[Document]]:
    """Return what was read with every finding, also ignored ones, texts by file, all documents."""
    found: list[Diagnostic] = []
    texts: dict[str, str] = {}
    overlay = _environment(environment, found) if environment is not None else None
    good: list[Checked] = []
    others: list[Document] = []
    documents: list[Document] = []
    for source in sources:
        loaded = load_file(source.name, source.data)
        texts[source.name] = loaded.text
        found += loaded.diagnostics
        others += loaded.others
        documents += [*(document for _, document in loaded.ours), *loaded.others]
        for kind, document in loaded.ours:
            if kind == "Configuration":
                from pinroute.policy.configuration import check_configuration

                found += check_configuration(document)
                continue
            if kind != "AffinityExperiment":
                found += not_built(kind, document)
                continue
            data = cast("Mapping[str, Any]", value(document.root))
            spec = Spec(document, resolve(data, overlay))
            wrong = check_meaning(spec) + check_admission(spec) + check_backends(spec)
            wrong += _check_allocation(spec)
            manifests: Mapping[VersionName, Body] = {}
            if not errors(wrong):
                manifests, missing = companions(spec, source.read, loaded.others)
                wrong += missing
            found += wrong
            if not errors(wrong):
                good.append(Checked(spec, source, _digest(data), manifests))
    found += _clashes(good)
    if check_others is not None:
        found += check_others(others, [checked.spec for checked in good])
    return Specs(tuple(good), tuple(others), tuple(found)), texts, documents


def compile_specs(
    sources: Iterable[Source],
    *,
    environment: Source | None = None,
    stage: str | None = None,
    all_stages: bool = False,
    check_others: CheckOthers | None = None,
    policy: Policy | None = None,
) -> Compilation:
    """Compile every experiment of the sources.

    `stage` replaces the spec's own one; with `all_stages` every stage is rendered, not
    the live one only. `policy` changes what findings weigh, and hides known ones.
    """
    policy = policy or Policy()
    specs, texts, documents = _load(sources, environment, check_others)
    found = list(specs.diagnostics)
    found += [item for item in policy.diagnostics if item not in found]
    compiled: list[Compiled] = []
    if not stopped(found):
        for checked in specs.experiments:
            experiment = checked.spec.experiment
            known = stage_names(experiment)
            live = known.get(stage or experiment.stage)
            if live is None:
                raise UnknownStage(stage or experiment.stage, tuple(known), experiment.name)
            wanted = stage_order(experiment) if all_stages else [live]
            stages = tuple(build_stage(experiment, name, checked.manifests) for name in wanted)
            rendered = tuple(render(experiment, item, checked.digest) for item in stages)
            found += _sizes(checked, rendered)
            compiled.append(Compiled(checked, live, stages, rendered))
    sure = _sure(all_stages=all_stages, others=check_others is not None)
    standing, hidden = judge(found, texts, documents, policy, sure)
    return Compilation(
        () if errors(standing) else tuple(compiled),
        standing,
        specs.others,
        hidden,
        tuple(documents),
    )


def _check_allocation(spec: Spec) -> list[Diagnostic]:
    """Check shares where there are any: their fractions are costly to import."""
    experiment = spec.experiment
    if experiment.rotation is None and not any(
        group.by_share or group.slot for group in experiment.groups
    ):
        return []
    from pinroute.stages.allocation import check_allocation

    return check_allocation(spec)


class NotOneEnvironment(Exception):
    """What was given as the environment holds none, or several: none of them may be guessed."""

    def __init__(self, name: str, number: int):
        super().__init__(f"{name} holds {number} documents of kind Environment, not one")


class UnknownStage(Exception):
    """A stage was asked for that an experiment does not have."""

    def __init__(self, stage: str, known: tuple[str, ...], experiment: str):
        super().__init__(f"experiment {experiment!r} has no stage {stage!r}")
        self.stage = stage
        self.known = known


def _digest(data: Mapping[str, Any]) -> str:
    """Return the digest of a spec, whatever stage is live: stage files do not depend on it."""
    spec = {key: item for key, item in data["spec"].items() if key != "stage"}
    return digest({**data, "spec": spec})


def _environment(source: Source, found: list[Diagnostic]) -> Mapping[str, Any] | None:
    loaded = load_file(source.name, source.data)
    found += loaded.diagnostics
    ours = [document for kind, document in loaded.ours if kind == "Environment"]
    for document in ours:
        found += not_built("Environment", document)
    if len(ours) == 1:
        return cast("Mapping[str, Any]", cast("Any", value(ours[0].root)).get("spec", {}))
    if not errors(loaded.diagnostics):
        raise NotOneEnvironment(source.name, len(ours))
    return None


def _sure(*, all_stages: bool, others: bool) -> Callable[[str], bool]:
    """Return what tells of a code whether a run looks for it everywhere."""

    def sure(code: str) -> bool:
        if code in _OF_OTHERS or (code in _OF_A_STAGE and not all_stages):
            return False
        return others or not code.startswith("PIN3")

    return sure


def _clashes(good: Sequence[Checked]) -> list[Diagnostic]:
    """Find experiments that write the same object, or share a host on a gateway."""
    found: list[Diagnostic] = []
    names: dict[tuple[str, str], Checked] = {}
    services: dict[tuple[str, str], Checked] = {}
    hosts: dict[tuple[str, str], tuple[Checked, Path]] = {}
    for checked in good:
        experiment = checked.spec.experiment
        identity = (experiment.namespace or "default", experiment.name)
        target = (experiment.route.namespace, experiment.route.name)
        if identity in names:
            path: Path = ("metadata", "name")
            found.append(_clash("PIN233", checked, names[identity], path, "/".join(identity)))
        elif target in services:
            path = ("spec", "route", "virtualService", "name")
            found.append(_clash("PIN234", checked, services[target], path, "/".join(target)))
        else:
            for index, host in enumerate(experiment.route.hosts):
                path = ("spec", "route", "hosts", index)
                claims = [
                    hosts.setdefault((gateway, host.lower()), (checked, path))
                    for gateway in experiment.route.gateways or ("mesh",)
                ]
                first = next((claim for claim in claims if claim[0] is not checked), None)
                if first is not None:
                    found.append(_clash("PIN235", checked, first[0], path, host, first[1]))
        names.setdefault(identity, checked)
        services.setdefault(target, checked)
    return found


def _clash(
    code: str, here: Checked, first: Checked, path: Path, name: str, other: Path | None = None
) -> Diagnostic:
    """Return a finding in the later experiment; `other` is the path in the first one."""
    related = (Related(first.spec.document.span(other or path), "the other one is here"),)
    return diagnose(code, here.spec.document.span(path), path, related=related, name=name)


# Where the rules are as few as can be, advice to make them few would not help.
_IF_MINIMAL = {
    "PIN236": "give the groups fewer and shorter prefixes",
    "PIN237": "use 'kubectl apply --server-side'",
    "PIN238": "give the groups fewer and shorter prefixes",
}


def _sizes(checked: Checked, rendered: Sequence[Rendered]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    path: Path = ("spec", "groups")
    where = checked.spec.document.span(path, key=True)
    experiment = checked.spec.experiment
    hints = _IF_MINIMAL if experiment.output.rules == "minimal" else {}
    for stage in rendered:
        service = stage.virtual_service
        items = match_items(service["spec"]["http"])
        # The text of a Python object is nearly its JSON, and quickly made.
        large = len(repr(service)) > MAX_CLIENT_APPLY_BYTES // 4
        size = _json_bytes(service) if large else 0
        sizes = {
            "PIN236": items > MAX_ITEMS,
            "PIN237": MAX_CLIENT_APPLY_BYTES < size <= MAX_OBJECT_BYTES,
            "PIN238": size > MAX_OBJECT_BYTES,
        }
        found += [
            diagnose(
                code,
                where,
                path,
                hint=hints.get(code),
                name=experiment.name,
                stage=stage.name,
                items=items,
                limit=MAX_ITEMS,
                size=size,
            )
            for code, exceeded in sizes.items()
            if exceeded
        ]
    return found


def _json_bytes(item: Mapping[str, Any]) -> int:
    import json

    return len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode())
