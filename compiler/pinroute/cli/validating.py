"""What `pinroute validate` does: check specs, say everything that is wrong, change none of them."""

import sys
from collections.abc import Sequence
from functools import partial

from pinroute.checks.registry import check_virtual_services
from pinroute.cli.beforehand import read_beforehand
from pinroute.cli.exits import Exit, Misuse, Unwritable
from pinroute.cli.formats import FORMATS, Report, as_text
from pinroute.cli.inputs import read_source, read_sources
from pinroute.cli.leaving import keep
from pinroute.cli.policy import other_than, read_policy
from pinroute.cli.report import counts, exit_code
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import Compilation, NotOneEnvironment, compile_specs
from pinroute.diagnostics import Diagnostic, Severity
from pinroute.spec.shape import errors


def run(
    *,
    files: tuple[str, ...],
    filenames: tuple[str, ...],
    recursive: bool,
    environment: str | None,
    output: str,
    fail_on: str,
    complete: bool,
    output_file: str | None,
    config: str | None,
    isolated: bool,
    baseline: str | None,
    write_baseline: str | None,
    show_hidden: bool,
) -> int:
    """Check specs; the parameters are those of the command."""
    if baseline is not None and write_baseline is not None:
        raise Misuse("--baseline and --write-baseline exclude each other")
    sources, found = read_sources(files, filenames, recursive)
    overlay = read_source(environment, found) if environment is not None else None
    policy = read_policy(
        [*sources, overlay],
        config=config,
        isolated=isolated,
        baseline=baseline,
        hide=write_baseline is None,
    )
    if errors(policy.diagnostics):
        _say(Report(sorted(policy.diagnostics)), output, output_file)
        return Exit.USAGE
    sources = other_than(sources, policy, write_baseline)
    before = read_beforehand(sources)
    check = partial(check_virtual_services, complete=complete, looked_at=before.looks)
    try:
        compilation = compile_specs(
            sources, environment=overlay, check_others=check, policy=policy, read=before.load
        )
    except NotOneEnvironment as error:
        raise Misuse(f"--env: {error}") from None
    keep(compilation, before)
    found = sorted([*found, *compilation.diagnostics])
    if write_baseline is not None:
        found = _without_written(write_baseline, found, compilation)
    hidden = None if policy.baseline is None else compilation.hidden
    _say(Report(found, hidden, show_hidden), output, output_file)
    if output == "text":
        number = len(sources)
        err(f"{number} file{'s' if number != 1 else ''}: {counts(found)}\n")
    if hidden and output in ("text", "github"):
        noun = "finding" if len(hidden) == 1 else "findings"
        err(f"{len(hidden)} {noun} of the baseline hidden\n")
    return exit_code(found, Severity(fail_on))


def _say(report: Report, output: str, output_file: str | None) -> None:
    """Print a report, or write it to a file."""
    if output == "text":
        printed = as_text(report, colours(sys.stdout) and output_file is None)
    else:
        printed = FORMATS[output](report)
    if output_file is None:
        out(printed)
        return
    try:
        with open(output_file, "w", encoding="utf-8") as file:
            file.write(printed)
    except OSError as error:
        raise Unwritable(error, output_file) from None


def _without_written(
    file: str, found: Sequence[Diagnostic], compilation: Compilation
) -> list[Diagnostic]:
    """Write the findings to a baseline; return those that no baseline may hold."""
    from pinroute.cli.baseline import write_baseline
    from pinroute.diagnostics.catalogue import is_fixed

    if exit_code(found) == Exit.USAGE:
        err(f"{file} was not written: something could not be read\n")
        return list(found)
    number = write_baseline(file, found, compilation)
    err(f"{file}: {number} finding{'s' if number != 1 else ''} written\n")
    return [item for item in found if is_fixed(item.code)]
