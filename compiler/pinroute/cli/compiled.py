"""The first step of most commands: compile what was read, print what is wrong, or stop there."""

import sys
from collections.abc import Sequence

from pinroute.cli.exits import Ended, Exit, Misuse
from pinroute.cli.report import exit_code, loud, text
from pinroute.cli.terminal import colours, err
from pinroute.compilation import (
    CheckOthers,
    Compilation,
    Compiled,
    NotOneEnvironment,
    Source,
    UnknownStage,
    compile_specs,
)
from pinroute.diagnostics import Diagnostic, Severity
from pinroute.diagnostics.nearest import did_you_mean


def compiled_or_exit(
    sources: Sequence[Source],
    unread: Sequence[Diagnostic],
    *,
    environment: Source | None = None,
    stage: str | None = None,
    check_others: CheckOthers | None = None,
) -> Compilation:
    """Return what compiles; with errors they are printed and the command ends.

    Of what `check_others` finds only errors are printed: advice is for `validate`.
    """
    try:
        compilation = compile_specs(
            sources, environment=environment, stage=stage, check_others=check_others
        )
    except UnknownStage as error:
        raise Misuse(f"{error}: {did_you_mean(error.stage, error.known)}") from None
    except NotOneEnvironment as error:
        raise Misuse(f"--env: {error}") from None
    found = sorted([*unread, *compilation.diagnostics])
    told = [one for one in loud(found) if check_others is None or _matters(one)]
    err(text(told, colours(sys.stderr)))
    code = exit_code(found)
    if code != Exit.OK:
        raise Ended(code)
    return compilation


def _matters(found: Diagnostic) -> bool:
    """Tell whether a finding is more than advice about a VirtualService, or about such advice."""
    return found.severity is Severity.ERROR or not found.code.startswith(("PIN3", "PIN013"))


def chosen(compilation: Compilation, name: str | None) -> list[Compiled]:
    """Return the experiments, or the one of a name; stops where there is none."""
    names = [one.checked.spec.experiment.name for one in compilation.experiments]
    if not names:
        raise Misuse("the files hold no experiment")
    if name is not None and name not in names:
        raise Misuse(f"there is no experiment {name!r}: {did_you_mean(name, names)}")
    pairs = zip(compilation.experiments, names, strict=True)
    return [one for one, own in pairs if name in (None, own)]


def looking_at_users(experiments: Sequence[Compiled]) -> Sequence[Compiled]:
    """Return the experiments; stops if one has raw routes only, for which users are all alike."""
    for one in experiments:
        if not one.stages[0].tables:
            name = one.checked.spec.experiment.name
            raise Misuse(f"all routes of {name} are raw: none looks at the user hash")
    return experiments
