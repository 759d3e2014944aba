"""What `pinroute diff` does: show what `apply` would change, and change nothing."""

from pinroute.cli.connection import Chosen, connected, experiments, pass_on, tell
from pinroute.cli.exits import Exit
from pinroute.cli.report import exit_code
from pinroute.cli.terminal import err, out
from pinroute.compilation import Compiled


def run(
    *,
    files: tuple[str, ...],
    filenames: tuple[str, ...],
    recursive: bool,
    environment: str | None,
    stage: str | None,
    namespace: str | None,
    selector: str | None,
    context: str | None,
    kubeconfig: str | None,
    request_timeout: str,
    field_manager: str,
    prune: bool,
) -> int:
    """Show what would change; the parameters are those of the command."""
    chosen = Chosen(
        files,
        filenames,
        recursive,
        environment,
        stage,
        namespace,
        selector,
        context,
        kubeconfig,
        request_timeout,
    )
    found = experiments(chosen)
    from pinroute.cluster.failure import ClusterFailure

    try:
        return _diff(chosen, found, field_manager, prune)
    except ClusterFailure as failure:
        return tell(failure)


def _diff(chosen: Chosen, found: list[Compiled], field_manager: str, prune: bool) -> int:
    client = connected(chosen)
    from pinroute.cli.planning import digest_of_plans, plans, say
    from pinroute.cli.workers import side_by_side
    from pinroute.cluster.access import CONNECTIONS
    from pinroute.cluster.deployment import Manner, Step, shown
    from pinroute.cluster.view import View

    # As with kubectl, a diff shows what a forced write would do: conflicts are apply's.
    manner = Manner(field_manager, force=True, prune=prune)
    view = View(client)
    planned = plans(found, view, manner)
    steps: list[Step] = [step for one in planned for step in one.steps if step.alters]
    differences = side_by_side(lambda step: shown(step, client, manner), steps, CONNECTIONS)
    if not any(differences):
        pass_on(client)
        return Exit.OK
    out("".join(differences))
    findings = say(planned)
    pass_on(client, view.unseen())
    err(f"digest: {digest_of_plans(planned)}\n")
    return max(Exit.NO, exit_code(findings))
