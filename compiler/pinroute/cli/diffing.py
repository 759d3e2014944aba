"""What `pinroute diff` does: show what `apply` would change, and change nothing."""

import sys
from typing import Any

from pinroute.cli.connection import Chosen, chosen_of, connected, experiments, pass_on, tell
from pinroute.cli.exits import Exit
from pinroute.cli.report import exit_code, text
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import Compiled
from pinroute.diagnostics import Diagnostic


def run(*, field_manager: str, prune: bool, **options: Any) -> int:
    """Show what would change; the parameters are those of the command."""
    chosen = chosen_of(options)
    found = experiments(chosen)
    from pinroute.cluster.api.failure import ClusterFailure

    try:
        return _diff(chosen, found, field_manager, prune)
    except ClusterFailure as failure:
        return tell(failure)


def _diff(chosen: Chosen, found: list[Compiled], field_manager: str, prune: bool) -> int:
    client = connected(chosen)
    from pinroute.cli.planning import digest_of_plans, plans, say
    from pinroute.cli.workers import side_by_side
    from pinroute.cluster.api.access import CONNECTIONS
    from pinroute.cluster.api.failure import Denied
    from pinroute.cluster.deployment import Manner, Step, refusal, shown
    from pinroute.cluster.view import View

    # As with kubectl, a diff shows what a forced write would do: conflicts are apply's.
    manner = Manner(field_manager, force=True, prune=prune)
    view = View(client)
    planned = plans(found, view, manner)

    def show(about: tuple[Compiled, Step]) -> str | Diagnostic:
        compiled, step = about
        try:
            return shown(step, client, manner)
        except Denied as denied:
            return refusal(compiled, denied)

    steps = [(one.compiled, step) for one in planned for step in one.steps if step.alters]
    found_out = side_by_side(show, steps, CONNECTIONS)
    differences = "".join(one for one in found_out if isinstance(one, str))
    refusals = [one for one in found_out if isinstance(one, Diagnostic)]
    if not differences and not refusals:
        pass_on(client)
        return Exit.OK
    out(differences)
    findings = say(planned)
    err(text(refusals, colours(sys.stderr)))
    pass_on(client, view.unseen())
    if refusals:
        return Exit.BACKEND
    err(f"digest: {digest_of_plans(planned)}\n")
    return max(Exit.NO, exit_code(findings))
