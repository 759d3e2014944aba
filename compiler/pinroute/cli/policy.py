"""Which configuration and baseline hold for a run: found, read, and handed on as data."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pinroute.cli.exits import Misuse
from pinroute.cli.inputs import STDIN, read_source
from pinroute.compilation import Source
from pinroute.policy import TABLE
from pinroute.policy.standing import Policy

if TYPE_CHECKING:
    from pinroute.diagnostics import Diagnostic
    from pinroute.policy.baseline import Baseline
    from pinroute.policy.configuration import Configuration
    from pinroute.policy.severities import Severities

NAME = "pinroute.yaml"
PYPROJECT = "pyproject.toml"


def read_policy(
    sources: Iterable[Source | None],
    *,
    config: str | None,
    isolated: bool,
    baseline: str | None,
    hide: bool = True,
) -> Policy:
    """Read the configuration and, with `hide`, the baseline; `sources` are those of the run.

    What is wrong with these files is in the policy; with an error nothing else is.
    """
    if isolated and config is not None:
        raise Misuse("--config and --isolated exclude each other")
    found: list[Diagnostic] = []
    configuration = None if isolated else _configuration(config, found)
    if configuration is None and (found or baseline is None or not hide):
        return Policy(diagnostics=found)
    names = [source.name for source in sources if source is not None]
    severities, known = None, None
    if configuration is not None:
        names.append(configuration.document.file)
        severities = _severities(configuration, names)
        found += _without_files(configuration)
        baseline = baseline or _beside(configuration)
    if hide and baseline is not None:
        known = _baseline(baseline, names, found)
    return Policy(severities, known, found)


def _configuration(config: str | None, found: "list[Diagnostic]") -> "Configuration | None":
    """Return the configuration that was named, or the first one on the way up."""
    if config is not None:
        source = read_source(config, found)
        return None if source is None else _read(source, found, given=True)
    for source in _sources(found):
        configuration = _read(source, found, given=False)
        if configuration is not None or found:
            return configuration
    return None


def _sources(found: "list[Diagnostic]") -> Iterator[Source]:
    """Yield the files that may hold the configuration; few do, and most runs see none."""
    for path in _candidates():
        try:
            with open(path, "rb") as file:
                wanted = path.endswith(NAME) or TABLE.encode() in file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            continue
        except OSError:
            wanted = path.endswith(NAME)  # reading it again says what is wrong
        source = read_source(os.path.relpath(path), found) if wanted else None
        if source is not None:
            yield source


def _candidates() -> Iterator[str]:
    """Yield where a configuration may be, up to the top of the repository or file system."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # it was deleted
        return
    while True:
        yield os.path.join(folder, NAME)
        yield os.path.join(folder, PYPROJECT)
        if os.path.exists(os.path.join(folder, ".git")) or os.path.ismount(folder):
            return
        folder = os.path.dirname(folder)


def _read(source: Source, found: "list[Diagnostic]", *, given: bool) -> "Configuration | None":
    from pinroute.policy.configuration import NotOneConfiguration, read_toml, read_yaml

    try:
        if source.name.endswith(".toml"):
            read = read_toml(source.name, source.data)
        else:
            read = read_yaml(source.name, source.data, named=given)
    except NotOneConfiguration as error:
        raise Misuse(str(error)) from None
    found += read.diagnostics
    if given and read.configuration is None and not found:
        raise Misuse(f"{source.name} holds no table [tool.pinroute]")
    return read.configuration


def _severities(configuration: "Configuration", names: Iterable[str]) -> "Severities":
    from pinroute.policy.severities import Severities

    folder = os.path.dirname(configuration.document.file)
    inside = {
        name: place
        for name, place in places(names, folder).items()
        if name != STDIN and place.split("/", 1)[0] != os.pardir
    }
    return Severities(configuration.rules, inside)


def _without_files(configuration: "Configuration") -> "Iterator[Diagnostic]":
    """Find patterns whose fixed part does not exist: whichever files a run is given."""
    from pinroute.diagnostics import diagnose
    from pinroute.policy.configuration import literal_part, patterns

    folder = os.path.dirname(configuration.document.file)
    for path, pattern in patterns(configuration):
        literal = literal_part(pattern)
        there = os.path.join(folder, literal)
        if literal and not os.path.exists(there):
            problem = f"there is no {literal!r}"
        elif literal == pattern and os.path.isdir(there):
            problem = f"{literal!r} is a folder, write '{literal}/'"
        else:
            continue
        where = configuration.document.span(path)
        yield diagnose("PIN019", where, path, pattern=pattern, problem=problem)


def _beside(configuration: "Configuration") -> str | None:
    if configuration.baseline is None:
        return None
    return os.path.join(os.path.dirname(configuration.document.file), configuration.baseline)


def _baseline(file: str, names: Iterable[str], found: "list[Diagnostic]") -> "Baseline | None":
    from pinroute.policy.baseline import read_baseline

    source = read_source(file, found)
    if source is None:
        hint = f"check the path, or write it with 'pinroute validate --write-baseline {file}'"
        found[-1] = found[-1]._replace(hint=hint)
        return None
    baseline, wrong = read_baseline(source.name, source.data, places(names, os.path.dirname(file)))
    found += wrong
    return baseline


def other_than(sources: Iterable[Source], policy: Policy, *written: str | None) -> list[Source]:
    """Return the sources without the baseline itself: it often lies in a folder that is read."""
    known = [None if policy.baseline is None else policy.baseline.file, *written]
    files = {os.path.realpath(name) for name in known if name is not None}
    if not files:
        return [*sources]
    return [source for source in sources if os.path.realpath(source.name) not in files]


def places(names: Iterable[str], folder: str) -> Mapping[str, str]:
    """Return the path of each file as seen from a folder; stdin keeps its name."""
    return {name: name if name == STDIN else _from(folder, name) for name in names}


def _from(folder: str, name: str) -> str:
    path = os.path.relpath(name, folder or os.curdir)
    if path.split(os.sep, 1)[0] == os.pardir:  # one of the two may be named by a link
        path = os.path.relpath(os.path.realpath(name), os.path.realpath(folder or os.curdir))
    return path.replace(os.sep, "/")
