"""The compiler as a library: sources in, manifests and findings out.

    parse -> shape -> resolve -> meaning -> tables -> RouteList -> manifests -> bytes

Pure: files are read by whoever calls, companions of a spec (a manifest that it names)
through the `read` function of its source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.diagnostics.catalogue import is_together
from pinroute.istio.admission import check_admission
from pinroute.manifest.bundle import Rendered, comments, files, header, render_all
from pinroute.manifest.owner import Owner, OwnerFile, read_owner, with_owner
from pinroute.manifest.sizes import check_sizes
from pinroute.platforms.backends import check_backends
from pinroute.platforms.companions import companions
from pinroute.platforms.inference_service import with_transformers
from pinroute.policy.standing import Policy, judge, stopped
from pinroute.spec.digest import digest
from pinroute.spec.load import Loaded
from pinroute.spec.load import load as load_file
from pinroute.spec.meaning import Spec, check_meaning, not_built, stage_names
from pinroute.spec.model import Body, VersionName
from pinroute.spec.nodes import Document
from pinroute.spec.resolve import resolve
from pinroute.spec.scalars import value
from pinroute.spec.shape import errors
from pinroute.stages.stage import Stage, build_stages, stage_order

Read = Callable[[str], bytes]
CheckOthers = Callable[[Sequence[Document], Sequence[Spec]], list[Diagnostic]]

# What is known of a stage only after it was rendered, or after its rules were spliced.
_OF_A_STAGE = frozenset({"PIN236", "PIN237"})
_OF_A_SPLICE = frozenset({"PIN260", "PIN261"})


class Source(NamedTuple):
    """A file: how it is called in messages, its bytes, and how to read what stands beside it."""

    name: str
    data: bytes
    read: Read | None = None


def load_source(source: Source) -> Loaded:
    """Read a file."""
    return load_file(source.name, source.data)


class Checked(NamedTuple):
    """An experiment without errors: its spec, where it came from, and its companions.

    `owner` is the VirtualService of somebody else that its rules go into, with `splice`.
    """

    spec: Spec
    source: Source
    digest: str
    manifests: Mapping[VersionName, Body]
    owner: Owner | None = None


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

    def comments(self) -> Sequence[str]:
        """Return the comments that stand above its rules in a file of another owner."""
        experiment = self.checked.spec.experiment
        return comments(experiment, self.live, self.file_name, self.checked.digest)


class Specs(NamedTuple):
    """What was read: experiments without errors, documents of other kinds, all findings."""

    experiments: tuple[Checked, ...]
    others: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]


class Compilation(NamedTuple):
    """The result of a run; `experiments` is empty if some finding is an error.

    `hidden` are the findings of the baseline, `documents` those that were read of any kind.
    `owner_files` are the files of other owners, with the rules of the experiments in them.
    """

    experiments: tuple[Compiled, ...]
    diagnostics: tuple[Diagnostic, ...]
    others: tuple[Document, ...] = ()
    hidden: tuple[Diagnostic, ...] = ()
    documents: tuple[Document, ...] = ()
    owner_files: tuple[OwnerFile, ...] = ()

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
    sure = _sure(all_stages=False, spliced=False, others=check_others is not None)
    standing, _ = judge(specs.diagnostics, texts, documents, Policy(), sure)
    return specs._replace(diagnostics=standing)


def _load(
    sources: Iterable[Source],
    environment: Source | None,
    check_others: CheckOthers | None,
    read: Callable[[Source], Loaded] = load_source,
) -> tuple[Specs, Mapping[str, str], Sequence[Document]]:
    """Return what was read with every finding, also ignored ones, texts by file, all documents."""
    found: list[Diagnostic] = []
    texts: dict[str, str] = {}
    overlay = _environment(environment, found) if environment is not None else None
    good: list[Checked] = []
    others: list[Document] = []
    documents: list[Document] = []
    for source in sources:
        loaded = read(source)
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
            owner, wrong = read_owner(spec, source.name, source.read)
            if owner is not None:
                spec = Spec(document, with_owner(spec.experiment, owner))
            wrong += check_meaning(spec) + check_admission(spec) + check_backends(spec)
            wrong += _check_allocation(spec)
            if spec.experiment.buckets is not None and not errors(wrong):
                from pinroute.stages.coverage import check_coverage

                wrong += check_coverage(spec)
            manifests: Mapping[VersionName, Body] = {}
            if not errors(wrong):
                manifests, missing = companions(spec, source.read, loaded.others)
                wrong += missing
                spec = Spec(document, with_transformers(spec.experiment, manifests))
            found += wrong
            if not errors(wrong):
                good.append(Checked(spec, source, _digest(data), manifests, owner))
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
    remove: bool = False,
    check_others: CheckOthers | None = None,
    policy: Policy | None = None,
    read: Callable[[Source], Loaded] = load_source,
) -> Compilation:
    """Compile every experiment of the sources.

    `stage` replaces the spec's own one; with `all_stages` every stage is rendered, not
    the live one only (of rules in a file of another owner the live one only: the other
    stages would be copies of what is the owner's). With `remove`, such rules are taken
    out of it instead. `policy` changes what findings weigh, and hides known
    ones. `read` returns a file, which may have been read before.
    """
    policy = policy or Policy()
    specs, texts, documents = _load(sources, environment, check_others, read)
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
            whole = all_stages and checked.owner is None
            wanted = stage_order(experiment) if whole else [live]
            stages = build_stages(experiment, wanted, checked.manifests)
            rendered = render_all(experiment, stages, checked.digest)
            compiled.append(Compiled(checked, live, stages, rendered))
    owner_files: tuple[OwnerFile, ...] = ()
    if any(one.checked.owner is not None for one in compiled):
        compiled, owner_files, wrong = _splice(compiled, remove=remove)
        found += wrong
    for one in compiled:
        found += check_sizes(one.checked.spec, one.rendered)
    sure = _sure(all_stages=all_stages, spliced=not remove, others=check_others is not None)
    standing, hidden = judge(found, texts, documents, policy, sure)
    failed = errors(standing)
    return Compilation(
        () if failed else tuple(compiled),
        standing,
        specs.others,
        hidden,
        tuple(documents),
        () if failed else owner_files,
    )


def _splice(
    compiled: Sequence[Compiled], *, remove: bool
) -> tuple[list[Compiled], tuple[OwnerFile, ...], Sequence[Diagnostic]]:
    """Put the live rules into the files of other owners, or take them out."""
    from pinroute.manifest.block import Block
    from pinroute.manifest.composition import Part, compose

    parts: dict[int, Part] = {}
    for number, one in enumerate(compiled):
        spec, owner = one.checked.spec, one.checked.owner
        if owner is not None:
            block = Block(spec.experiment.name)
            if not remove:
                rules = one.rendered[0].virtual_service["spec"]["http"]
                block = Block(spec.experiment.name, rules, one.comments())
            parts[number] = Part(spec, owner, block)
    composition = compose(list(parts.values()))
    after = list(compiled)
    for number, service in zip(parts, composition.services, strict=True):
        rendered = after[number].rendered[0]
        objects = () if remove else rendered.objects[:-1]
        rendered = rendered._replace(objects=(*objects, service))
        after[number] = after[number]._replace(rendered=(rendered,))
    return after, composition.files, composition.diagnostics


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
    loaded = load_source(source)
    found += loaded.diagnostics
    ours = [document for kind, document in loaded.ours if kind == "Environment"]
    for document in ours:
        found += not_built("Environment", document)
    if len(ours) == 1:
        return cast("Mapping[str, Any]", cast("Any", value(ours[0].root)).get("spec", {}))
    if not errors(loaded.diagnostics):
        raise NotOneEnvironment(source.name, len(ours))
    return None


def _sure(*, all_stages: bool, spliced: bool, others: bool) -> Callable[[str], bool]:
    """Return what tells of a code whether a run looks for it everywhere."""

    def sure(code: str) -> bool:
        if is_together(code) or (code in _OF_A_STAGE and not all_stages):
            return False
        if code in _OF_A_SPLICE and not spliced:
            return False
        return others or not code.startswith("PIN3")

    return sure


def _clashes(good: Sequence[Checked]) -> list[Diagnostic]:
    """Find experiments that write the same object, or share a host on a gateway."""
    found: list[Diagnostic] = []
    names: dict[tuple[str, str], Checked] = {}
    services: dict[tuple[str, str], list[Checked]] = {}
    hosts: dict[tuple[str, str], tuple[Checked, Path]] = {}
    for checked in good:
        experiment = checked.spec.experiment
        identity = (experiment.namespace or "default", experiment.name)
        target = (experiment.route.namespace, experiment.route.name)
        same = services.setdefault(target, [])
        apart = next((one for one in same if not _side_by_side(one, checked)), None)
        if identity in names:
            path: Path = ("metadata", "name")
            found.append(_clash("PIN233", checked, names[identity], path, "/".join(identity)))
        elif apart is not None:
            path = ("spec", "route", "virtualService", "name")
            both = checked.owner is not None and apart.owner is not None
            hint = "give the experiments names of their own, and name one file" if both else None
            found.append(_clash("PIN234", checked, apart, path, "/".join(target), hint=hint))
        else:
            for index, host in enumerate(experiment.route.hosts):
                path = ("spec", "route", "hosts", index)
                claims = [
                    hosts.setdefault((gateway, host.lower()), (checked, path))
                    for gateway in experiment.route.gateways or ("mesh",)
                ]
                own = {id(one) for one in (checked, *same)}
                first = next((claim for claim in claims if id(claim[0]) not in own), None)
                if first is not None:
                    found.append(_clash("PIN235", checked, first[0], path, host, first[1]))
        names.setdefault(identity, checked)
        same.append(checked)
    return found


def _side_by_side(one: Checked, other: Checked) -> bool:
    """Tell whether two experiments can have their rules in one VirtualService: an owner's."""
    if one.owner is None or other.owner is None:
        return False
    names = {checked.spec.experiment.name for checked in (one, other)}
    places = {(owner.file, owner.number) for owner in (one.owner, other.owner)}
    return len(names) == 2 and len(places) == 1


def _clash(
    code: str,
    here: Checked,
    first: Checked,
    path: Path,
    name: str,
    other: Path | None = None,
    hint: str | None = None,
) -> Diagnostic:
    """Return a finding in the later experiment; `other` is the path in the first one."""
    related = (Related(first.spec.document.span(other or path), "the other one is here"),)
    where = here.spec.document.span(path)
    return diagnose(code, where, path, related=related, hint=hint, name=name)
