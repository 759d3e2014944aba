"""The end of an experiment in the user's own files: the winner is the baseline from now on.

Edited are a few values, everything else stays, comments too. The stage is `done`, and all
groups and fallbacks meet the winner, so that no other stage brings anybody back either.

After a promotion by copy the winner is in the baseline's place: the two versions exchange
places in the spec, and where manifests name their models, these exchange them.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from pinroute.compilation import Checked, Source
from pinroute.diagnostics import Path
from pinroute.edit import CannotEdit, with_values
from pinroute.istio.resource import as_mapping
from pinroute.platforms.inference_service import COMPONENTS, with_model
from pinroute.spec.load import load
from pinroute.spec.model import Body, InferenceService, Version
from pinroute.spec.nodes import Document
from pinroute.spec.promotion import copies
from pinroute.spec.scalars import Value, value


class Closed(NamedTuple):
    """The new text of a spec's file, and of the manifests beside it, by the names in the spec."""

    text: str
    manifests: Mapping[str, str]


def closed(checked: Checked, winner: Version) -> Closed:
    """Return what a spec and its manifests say after an experiment that a version has won.

    Raises CannotEdit where a form cannot be edited in place; the message says which.
    """
    experiment, document = checked.spec.experiment, checked.spec.document
    baseline = experiment.version(experiment.baseline)
    values: dict[Path, Value] = {("spec", "stage"): "done"}
    values |= _sent_to(document, winner.name)
    manifests: dict[str, str] = {}
    if winner != baseline:
        values["spec", "baseline"] = winner.name
    if copies(experiment, winner):
        ours, theirs = winner.inference_service, baseline.inference_service
        if ours is None or theirs is None:
            raise ValueError("only InferenceServices are copied")
        if winner.rewrite != baseline.rewrite:
            raise CannotEdit("'rewrite' belongs to the place of a version: exchange it by hand")
        indices = [experiment.versions.index(version) for version in (winner, baseline)]
        values |= _exchanged(indices, ours, theirs)
        if ours.manifest is not None and theirs.manifest is not None:
            manifests = _models_exchanged(checked.source, ours, theirs)
        elif ours.manifest is None and theirs.manifest is None:
            path: Path = ("spec", "versions", indices[0], "inferenceService")
            values |= _kept(path, ours, theirs)
        else:
            raise CannotEdit(
                "one of the two versions has a manifest and the other a predictor: "
                "give both the same, or exchange their places by hand"
            )
    there = {path: new for path, new in values.items() if _said(document, path) != new}
    return Closed(with_values(document, there) if there else document.text, manifests)


def _said(document: Document, path: Path) -> Value:
    node = document.node(path)
    return value(node) if node is not None else None


def _sent_to(document: Document, winner: str) -> dict[Path, Value]:
    """Return the fields that send users to a version, each with the winner."""
    fields: dict[Path, Value] = {}
    groups = cast("list[object]", _said(document, ("spec", "groups")) or [])
    for index, _ in enumerate(groups):
        fields["spec", "groups", index, "version"] = winner
    fallback = cast("dict[str, object]", _said(document, ("spec", "fallback")) or {})
    for name in fallback:
        fields["spec", "fallback", name] = winner
    return fields


def _exchanged(
    indices: list[int], ours: InferenceService, theirs: InferenceService
) -> dict[Path, Value]:
    """Return the fields of the two places, exchanged; a manifest goes with its place."""
    if (ours.service is None) != (theirs.service is None):
        raise CannotEdit("'service' belongs to the place of a version: exchange it by hand")
    fields: dict[Path, Value] = {}
    for index, place in zip(indices, (theirs, ours), strict=True):
        base: Path = ("spec", "versions", index, "inferenceService")
        fields[*base, "name"] = place.name
        fields[*base, "namespace"] = place.namespace
        if place.service is not None:
            fields[*base, "service"] = place.service
        if ours.manifest is not None and theirs.manifest is not None:
            fields[*base, "manifest"] = place.manifest
    return fields


def _kept(base: Path, ours: InferenceService, theirs: InferenceService) -> dict[Path, Value]:
    """Return the fields of the baseline's place that stay when the winner's model comes there."""
    fields: dict[Path, Value] = {}
    models = [
        {
            name: body
            for name, body in (("predictor", own.predictor), ("transformer", own.transformer))
            if body is not None
        }
        for own in (theirs, ours)
    ]
    after = with_model(models[0], models[1])
    for name in COMPONENTS:
        if name in after:
            fields |= dict(_edits(models[1][name], after[name], (*base, name)))
    return fields


def _models_exchanged(
    source: Source, ours: InferenceService, theirs: InferenceService
) -> dict[str, str]:
    """Return the texts of two manifests in which two InferenceServices have exchanged models."""
    bodies = [_spec(_manifest(source, own, {})) for own in (ours, theirs)]
    texts: dict[str, str] = {}
    for own, model, place in ((theirs, bodies[0], bodies[1]), (ours, bodies[1], bodies[0])):
        document = _manifest(source, own, texts)
        edits = dict(_edits(place, with_model(place, model), ("spec",)))
        name = cast("str", own.manifest)
        texts[name] = with_values(document, edits) if edits else document.text
    return texts


def _manifest(source: Source, own: InferenceService, texts: Mapping[str, str]) -> Document:
    """Return the document of an InferenceService in its file, as it is by now."""
    name = cast("str", own.manifest)
    read = source.read
    if read is None:
        raise CannotEdit(f"{name!r} cannot be read")
    data = texts[name].encode("utf-8", "surrogateescape") if name in texts else read(name)
    for document in reversed(load(name, data).others):
        body = as_mapping(value(document.root))
        metadata = as_mapping(body.get("metadata"))
        found = (body.get("kind"), metadata.get("namespace", "default"), metadata.get("name"))
        if found == ("InferenceService", own.namespace, own.name):
            return document
    raise CannotEdit(f"{name!r} holds no InferenceService {own.namespace}/{own.name} any more")


def _spec(document: Document) -> Body:
    return as_mapping(as_mapping(value(document.root)).get("spec"))


def _edits(before: object, after: object, path: Path) -> Iterator[tuple[Path, Value]]:
    """Yield the fields that lead from one body to another. Raises CannotEdit if one has to go."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in before:
            if name not in after:
                gone = ".".join(str(step) for step in (*path, name))
                raise CannotEdit(f"{gone!r} has to go: the models differ in kind; edit it by hand")
        for name, item in after.items():
            if name in before:
                yield from _edits(before[name], item, (*path, name))
            else:
                yield (*path, name), cast("Value", item)
    elif before != after:
        yield path, cast("Value", after)
