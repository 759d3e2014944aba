"""The rules of all experiments of a run in the files of their owners.

Experiments that share a file are put into it one after another, by name, so that the
bytes do not depend on the order in which specs are read.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pinroute.diagnostics import Diagnostic, diagnose
from pinroute.manifest.block import Block, CannotSplice
from pinroute.manifest.owner import FILE, Owner, OwnerFile, service_in
from pinroute.manifest.precedence import check_precedence
from pinroute.manifest.splice import spliced
from pinroute.spec.meaning import Spec

JsonObject = dict[str, Any]


class Part(NamedTuple):
    """What one experiment puts into the VirtualService of an owner."""

    spec: Spec
    owner: Owner
    block: Block


class Composition(NamedTuple):
    """The VirtualService of each part, in their order, and the files that hold them."""

    services: tuple[JsonObject, ...]
    files: tuple[OwnerFile, ...]
    diagnostics: tuple[Diagnostic, ...]


def compose(parts: Sequence[Part]) -> Composition:
    """Put the blocks of all parts into their owners' files, and check what they do there."""
    found: list[Diagnostic] = []
    files = {part.owner.file: part.owner.text for part in parts}
    for part in sorted(parts, key=lambda part: (part.owner.number, part.block.experiment)):
        owner = part.owner
        try:
            files[owner.file] = spliced(owner.file, files[owner.file], owner.number, part.block)
        except CannotSplice as error:
            where = part.spec.document.span(FILE)
            file = part.spec.experiment.route.file
            found.append(diagnose("PIN257", where, FILE, file=file, problem=str(error)))
    services = tuple(service_in(files[part.owner.file], part.owner) for part in parts)
    if not found:
        for part, service in zip(parts, services, strict=True):
            beside = [other.block.prefix for other in parts if _shares(other, part)]
            found += check_precedence(part.spec, part.owner, service, beside)
    return Composition(services, tuple(_files(parts, files)), tuple(found))


def _shares(one: Part, other: Part) -> bool:
    """Tell whether two parts go into one VirtualService."""
    return (one.owner.file, one.owner.number) == (other.owner.file, other.owner.number)


def _files(parts: Iterable[Part], after: dict[str, str]) -> Iterable[OwnerFile]:
    before = {part.owner.file: part.owner.text for part in parts}
    return (OwnerFile(file, before[file], text) for file, text in sorted(after.items()))
