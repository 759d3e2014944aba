"""The first half of `diff`, `apply` and `delete`: what there is to do, and what stands against it."""

import sys
from collections.abc import Iterable, Sequence

from pinroute.cli.connection import tell
from pinroute.cli.exits import Ended
from pinroute.cli.impact_report import as_text as impact_text
from pinroute.cli.report import loud, text
from pinroute.cli.terminal import colours, err
from pinroute.cli.workers import side_by_side
from pinroute.cluster.api.access import CONNECTIONS
from pinroute.cluster.api.failure import ClusterFailure
from pinroute.cluster.api.kinds import kind_of
from pinroute.cluster.deployment import Manner, Plan, plan
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.diagnostics import Diagnostic
from pinroute.spec.digest import digest

NOTHING_WRITTEN = "nothing was written\n"
_MANY = 4  # from here on one list costs less than an object each


def plans(experiments: Sequence[Compiled], view: View, manner: Manner) -> list[Plan]:
    """Return the plan of each experiment, all of them before anything is written."""
    if len(experiments) >= _MANY:
        for kind in {kind_of(one.rendered[0].virtual_service) for one in experiments}:
            view.all_of(kind, ())
    return side_by_side(lambda one: plan(one, view, manner), experiments, CONNECTIONS)


def plans_or_exit(experiments: Sequence[Compiled], view: View, manner: Manner) -> list[Plan]:
    """Return the plans; where the cluster stops that, tell also that nothing was written."""
    try:
        return plans(experiments, view, manner)
    except ClusterFailure as failure:
        code = tell(failure)
        err(NOTHING_WRITTEN)
        raise Ended(code) from None
    except KeyboardInterrupt:
        err(NOTHING_WRITTEN)
        raise


def digest_of_plans(found: Iterable[Plan]) -> str:
    """Return the digest that `diff` prints and `--expect-digest` takes."""
    return digest([one.digest() for one in found])


def say(found: Sequence[Plan]) -> list[Diagnostic]:
    """Print on stderr who moves, and what stands against it; return the findings."""
    for one in found:
        if one.impact is not None and one.impact.changes:
            err(impact_text(one.impact))
    findings = sorted(item for one in found for item in one.findings)
    err(text(loud(findings), colours(sys.stderr)))
    return findings
