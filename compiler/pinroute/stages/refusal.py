"""Why a plan is refused, as findings in the spec."""

from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.spec.meaning import Spec
from pinroute.stages.plan import CannotPlan, Plan
from pinroute.stages.proof import BACK, MIXED, OTHER, refutations

_CODES = {BACK: "PIN268", OTHER: "PIN269", MIXED: "PIN270"}
_PATH: Path = ("spec", "stage")


def refusals(spec: Spec, plan: Plan) -> list[Diagnostic]:
    """Return why a forward plan is refused, nothing where it is proved; others need no proof."""
    if not plan.forward:
        return []
    where = spec.document.span(_PATH)
    return [
        diagnose(
            _CODES[one.kind],
            where,
            _PATH,
            step=one.phase.name + (f", route {one.route}" if one.route else ""),
            witness=one.witness,
            before=one.before,
            after=one.after,
        )
        for one in refutations(plan)
    ]


def unplanned(spec: Spec, error: CannotPlan) -> Diagnostic:
    """Return why there is no plan at all."""
    names = [version.name for version in spec.experiment.versions]
    path: Path = ("spec", "versions", names.index(error.baseline), "inferenceService")
    where = spec.document.span(path, key=True)
    return diagnose(
        "PIN271", where, path, place=error.place, serves=error.serves, baseline=error.baseline
    )
