"""What `pinroute compile` does: one stage to stdout, or every stage into a folder."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pinroute.cli.exits import Exit, Misuse, Unwritable
from pinroute.cli.inputs import STDIN, read_source, read_sources
from pinroute.cli.policy import other_than, read_policy
from pinroute.cli.report import counts, exit_code, loud, text
from pinroute.cli.terminal import colours, err, out
from pinroute.compilation import (
    Compilation,
    Compiled,
    NotOneEnvironment,
    UnknownStage,
    compile_specs,
)
from pinroute.diagnostics import Diagnostic, Span, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.manifest.dump import dump_all
from pinroute.manifest.owner import OwnerFile
from pinroute.spec.shape import errors

FOLDER = "compiled"


def run(
    *,
    files: tuple[str, ...],
    filenames: tuple[str, ...],
    recursive: bool,
    output_dir: str | None,
    stage: str | None,
    environment: str | None,
    output: str,
    check: bool,
    write_: bool,
    config: str | None,
    isolated: bool,
    baseline: str | None,
    remove: bool,
) -> int:
    """Compile specs; the parameters are those of the command."""
    to_folder = output_dir is not None or check or write_
    if check and write_:
        raise Misuse("--check and --write exclude each other")
    if to_folder and output == "json":
        raise Misuse("-o json is for stdout; files are YAML")
    sources, unread = read_sources(files, filenames, recursive)
    overlay = read_source(environment, unread) if environment is not None else None
    policy = read_policy([*sources, overlay], config=config, isolated=isolated, baseline=baseline)
    if errors(policy.diagnostics):
        return _refused(policy.diagnostics, Exit.USAGE)
    try:
        compilation = compile_specs(
            other_than(sources, policy),
            environment=overlay,
            stage=stage,
            all_stages=to_folder,
            remove=remove,
            policy=policy,
        )
    except UnknownStage as error:
        raise Misuse(f"{error}: {did_you_mean(error.stage, error.known)}") from None
    except NotOneEnvironment as error:
        raise Misuse(f"--env: {error}") from None
    found = sorted([*unread, *compilation.diagnostics])
    if not to_folder and not compilation.experiments and not exit_code(found):
        found.append(_nothing(compilation, [source.name for source in sources]))
    code = exit_code(found)
    if code != Exit.OK:
        return _refused(found, code)
    err(text(loud(found), colours(sys.stderr)))
    if remove:
        _only_spliced(compilation.experiments)
    if not to_folder:
        out(_stdout(compilation.experiments, output, remove))
        return Exit.OK
    plan = _plan(compilation.experiments, output_dir, remove)
    mend = "pinroute compile --remove --write" if remove else "pinroute compile --write"
    return _bring(plan, compilation.owner_files, mend if check else None)


def _refused(found: Sequence[Diagnostic], code: Exit) -> Exit:
    err(text(loud(found), colours(sys.stderr)))
    err(f"nothing was compiled: {counts(found)}\n")
    return code


def _nothing(compilation: Compilation, names: Sequence[str]) -> Diagnostic:
    """Refuse an empty output: it means 'delete everything' to a controller that prunes."""
    noun = "document" if len(compilation.others) == 1 else "documents"
    others = (
        f", only {len(compilation.others)} {noun} of other kinds"
        if len(compilation.others)
        else ""
    )
    return diagnose("PIN015", Span(names[0] if names else STDIN), others=others)


def _only_spliced(experiments: Sequence[Compiled]) -> None:
    for compiled in experiments:
        if compiled.checked.owner is None:
            name = compiled.checked.spec.experiment.name
            raise Misuse(
                f"--remove takes rules out of the file of another owner, and {name} has a "
                "VirtualService of its own: stage 'done' ends it"
            )


class _Shown(NamedTuple):
    """What stands on stdout in one piece: objects, and the comments above them."""

    objects: list[dict[str, Any]]
    header: str


def _pieces(experiments: Sequence[Compiled], remove: bool) -> list[_Shown]:
    """Return the objects of experiments; a VirtualService that several share comes once.

    It comes with the last of them: backends stand before the routes that name them.
    """
    places = [
        (owner.file, owner.number) if (owner := one.checked.owner) is not None else number
        for number, one in enumerate(experiments)
    ]
    pieces: list[_Shown] = []
    headers: dict[object, str] = {}
    for number, (one, place) in enumerate(zip(experiments, places, strict=True)):
        header = "" if remove else one.header()
        headers[place] = headers.get(place, "") + header
        if place not in places[number + 1 :]:
            pieces.append(_Shown(list(one.rendered[0].objects), headers[place]))
        elif len(one.rendered[0].objects) > 1:
            pieces.append(_Shown(list(one.rendered[0].objects[:-1]), header))
    return pieces


def _stdout(experiments: Sequence[Compiled], output: str, remove: bool) -> str:
    pieces = _pieces(experiments, remove)
    if output == "json":
        objects = [item for piece in pieces for item in piece.objects]
        body = (
            objects[0]
            if len(objects) == 1
            else {"apiVersion": "v1", "kind": "List", "items": objects}
        )
        return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    return "---\n".join(dump_all(piece.objects, piece.header) for piece in pieces)


def _plan(
    experiments: Sequence[Compiled], output_dir: str | None, remove: bool
) -> Mapping[str, Mapping[str, str]]:
    """Return what each folder has to hold, by folder of one experiment."""
    plan: dict[str, Mapping[str, str]] = {}
    for compiled in experiments:
        source = compiled.checked.source.name
        files = {} if remove else compiled.files()
        if output_dir is not None:
            base = output_dir
        elif source != STDIN:
            base = os.path.join(os.path.dirname(source), FOLDER)
        elif files:
            raise Misuse("stdin has no folder beside it: name one with -d")
        else:
            continue  # everything is in the owner's file
        folder = os.path.join(base, compiled.checked.spec.experiment.name)
        if folder in plan:
            raise Misuse(f"two experiments write into {folder}: give each a -d of its own")
        plan[folder] = files
    return plan


def _bring(
    plan: Mapping[str, Mapping[str, str]], owner_files: Sequence[OwnerFile], mend: str | None
) -> int:
    """Bring folders and files of owners up to date.

    With `mend`, the command that would do it, only show what it would change.
    """
    from pathlib import Path

    from pinroute.cli.folder import Drift, drift, owner_drift, unified_diff, write

    found: list[Drift] = []
    try:
        for folder, wanted in plan.items():
            found += drift(Path(folder), wanted)
        found += owner_drift(owner_files)
        if mend is not None:
            for item in found:
                out(unified_diff(item))
            if found:
                files = "1 file is" if len(found) == 1 else f"{len(found)} files are"
                err(f"{files} stale: run '{mend}'\n")
            return Exit.NO if found else Exit.OK
        write(found)
    except BrokenPipeError:  # the reader of the diff went away; nothing was written
        raise
    except OSError as error:
        raise Unwritable(error, "the output folder") from None
    for item in found:
        err(f"{item.path.as_posix()} {item.word}\n")
    return Exit.OK
