"""What `pinroute validate` does: check specs, say everything that is wrong, change nothing."""

import sys
from functools import partial

from pinroute.checks.registry import check_virtual_services
from pinroute.cli.exits import Misuse, Unwritable
from pinroute.cli.inputs import read_source, read_sources
from pinroute.cli.report import FORMATS, counts, exit_code
from pinroute.cli.report import text as as_text
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import NotOneEnvironment, compile_specs
from pinroute.diagnostics import Severity


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
) -> int:
    """Check specs; the parameters are those of the command."""
    sources, found = read_sources(files, filenames, recursive)
    overlay = read_source(environment, found) if environment is not None else None
    try:
        compilation = compile_specs(
            sources,
            environment=overlay,
            check_others=partial(check_virtual_services, complete=complete),
        )
    except NotOneEnvironment as error:
        raise Misuse(f"--env: {error}") from None
    found = sorted([*found, *compilation.diagnostics])
    if output == "text":
        report = as_text(found, colours(sys.stdout) and output_file is None)
    else:
        report = FORMATS[output](found)
    if output_file is not None:
        try:
            with open(output_file, "w", encoding="utf-8") as file:
                file.write(report)
        except OSError as error:
            raise Unwritable(error, output_file) from None
    else:
        out(report)
    if output == "text":
        number = len(sources)
        err(f"{number} file{'s' if number != 1 else ''}: {counts(found)}\n")
    return exit_code(found, Severity(fail_on))
