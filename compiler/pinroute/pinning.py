"""Slots written into a spec: from then on no edit of another group moves a group's users."""

from pinroute.compilation import Source, load
from pinroute.diagnostics import Path, Severity
from pinroute.edit import CannotEdit, with_fields
from pinroute.spec.model import Experiment
from pinroute.spec.scalars import Value
from pinroute.stages.allocation import bounds_of, plan, universe_of


def pinned(source: Source) -> str:
    """Return the text of a file in which every group given by a share has its slot.

    Nobody moves: what is written is what was computed. Raises CannotEdit, also for a file
    with errors: its slots are not known.
    """
    specs = load([source])
    wrong = next((item for item in specs.diagnostics if item.severity is Severity.ERROR), None)
    if wrong is not None:
        raise CannotEdit(f"line {wrong.span.line}: {wrong.message}; slots cannot be pinned")
    found = [
        (checked.spec.document, _missing(checked.spec.experiment)) for checked in specs.experiments
    ]
    lacking = [(document, fields) for document, fields in found if fields]
    if len(lacking) > 1:
        raise CannotEdit(
            "several experiments of one file lack slots; pin them in files of their own"
        )
    for document, fields in lacking:
        return with_fields(document, fields)
    return source.data.decode("utf-8-sig", "surrogateescape")


def _missing(experiment: Experiment) -> dict[Path, Value]:
    """Return the slot of each group that lacks one, by its path."""
    universe = universe_of(experiment)
    slots = plan(experiment).slots
    fields: dict[Path, Value] = {}
    for index, group in enumerate(experiment.groups):
        if group.by_share and group.slot is None:
            start, end = bounds_of(universe, slots[group.name])
            fields["spec", "groups", index, "slot"] = {"from": float(start), "to": float(end)}
    return fields
