"""The configuration: pinroute.yaml, or the table [tool.pinroute] of a pyproject.toml."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from pinroute.diagnostics import Diagnostic, Path, Related, Severity, diagnose, rule
from pinroute.diagnostics.catalogue import codes, is_fixed
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.policy import TABLE
from pinroute.policy.placed import not_read, placed
from pinroute.policy.severities import SeverityRule
from pinroute.spec.load import load
from pinroute.spec.nodes import Document, Mapping, Scalar
from pinroute.spec.parse import decode
from pinroute.spec.scalars import value
from pinroute.spec.schema import API_VERSION, kind_schema
from pinroute.spec.shape import check_shape, errors

KIND = "Configuration"
IGNORE = "ignore"


class Configuration(NamedTuple):
    """What a configuration says; `document` knows the places."""

    document: Document
    rules: tuple[SeverityRule, ...]
    baseline: str | None


class Read(NamedTuple):
    """What a file holds: None if no configuration, or if some finding is an error."""

    configuration: Configuration | None
    diagnostics: list[Diagnostic]


class NotOneConfiguration(Exception):
    """A file holds no configuration, or several: none of them may be guessed."""

    def __init__(self, name: str, number: int):
        super().__init__(f"{name} holds {number} documents of kind {KIND}, not one")


def read_yaml(file: str, data: bytes, *, named: bool) -> Read:
    """Read a YAML file; one that the user has not named may be something else.

    Raises NotOneConfiguration.
    """
    loaded = load(file, data)
    own = [document for kind, document in loaded.ours if kind == KIND]
    wrong = errors(loaded.diagnostics)
    if not named and not own and (not wrong or "kind: AffinityExperiment" in loaded.text):
        return Read(None, [])
    if wrong:
        return Read(None, loaded.diagnostics)
    if len(own) != 1:
        raise NotOneConfiguration(file, len(own))
    return _read(own[0], loaded.diagnostics)


def read_toml(file: str, data: bytes) -> Read:
    """Read the table of a pyproject.toml; a file without it holds no configuration."""
    text, found = decode(file, data)
    offset = text.find(TABLE)
    if errors(found) or offset < 0:
        return Read(None, found)
    import tomllib

    try:
        tool = tomllib.loads(text).get("tool")
        table = tool.get("pinroute") if isinstance(tool, dict) else None
        if table is None:  # the words stand in a comment or in a text
            return Read(None, [])
        root = placed(table, text, offset)
    except (ValueError, RecursionError) as error:
        return Read(None, [not_read(file, text, "TOML", error)])
    if isinstance(root, Mapping):
        for key, word in (("apiVersion", API_VERSION), ("kind", KIND)):
            root.keys.setdefault(key, Scalar(key, True, root.start, root.start))
            root.entries.setdefault(key, Scalar(word, True, root.start, root.start))
    document = Document(file, 0, root, text)
    wrong = check_shape(document, kind_schema(KIND))
    return Read(None, wrong) if wrong else _read(document, [])


def _read(document: Document, found: Sequence[Diagnostic]) -> Read:
    wrong = [*found, *check_configuration(document)]
    if errors(wrong):
        return Read(None, wrong)
    data = cast("dict[str, Any]", value(document.root))
    rules = tuple(
        SeverityRule(
            frozenset(_code(name) or name for name in item["codes"]),
            None if item["severity"] == IGNORE else Severity(item["severity"]),
            tuple(item.get("paths", ())),
        )
        for item in data.get("severities", ())
    )
    return Read(Configuration(document, rules, data.get("baseline")), wrong)


def check_configuration(document: Document) -> list[Diagnostic]:
    """Return what is wrong with a configuration of the right shape."""
    data = cast("dict[str, Any]", value(document.root))
    rules: list[dict[str, Any]] = data.get("severities", [])
    return [
        finding
        for index, item in enumerate(rules)
        for finding in (
            *_codes(document, index, item),
            *_overridden(document, index, rules),
        )
    ]


@cache
def _code(name: str) -> str | None:
    """Return the code that a code or a name of a finding means."""
    known = codes()
    if name in known:
        return name
    return next((code for code in known if rule(code).name == name), None)


def _codes(document: Document, index: int, item: dict[str, Any]) -> Iterator[Diagnostic]:
    for number, name in enumerate(item["codes"]):
        path: Path = ("severities", index, "codes", number)
        code, where = _code(name), document.span(path)
        if code is None:
            hint = did_you_mean(name, [*codes(), *(rule(code).name for code in codes())])
            yield diagnose("PIN016", where, path, hint=hint, name=name)
        elif is_fixed(code) and item["severity"] != Severity.ERROR.value:
            yield diagnose("PIN017", where, path, code=code, severity=item["severity"])


def _overridden(
    document: Document, index: int, rules: Sequence[dict[str, Any]]
) -> Iterator[Diagnostic]:
    """Find a rule that no finding can reach, because a later one takes them all."""
    own = {_code(name) for name in rules[index]["codes"]}
    paths = set(rules[index].get("paths", ()))
    for later in range(index + 1, len(rules)):
        if "paths" not in rules[later] or (paths and paths <= set(rules[later]["paths"])):
            own -= {_code(name) for name in rules[later]["codes"]}
        if not own:
            path: Path = ("severities", index)
            first = Related(document.span(("severities", later)), "this one holds instead")
            yield diagnose("PIN018", document.span(path), path, related=(first,))
            return


def literal_part(pattern: str) -> str:
    """Return the part of a pattern that names folders or a file as they are called."""
    parts = pattern.split("/")
    literal: list[str] = []
    for part in parts:
        if any(sign in part for sign in "*?["):
            break
        literal.append(part)
    return "/".join(literal).rstrip("/")


def patterns(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    """Yield every pattern with its path in the document."""
    for index, own in enumerate(configuration.rules):
        for number, pattern in enumerate(own.paths):
            yield ("severities", index, "paths", number), pattern
