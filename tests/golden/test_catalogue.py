"""The catalogue, its samples, what they print, and the page in docs/ are held together."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pinroute.diagnostics.catalogue import codes, rule
from pinroute.diagnostics.reference import reference
from pinroute.spec.parse import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Golden, Invalid, Pinroute

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "compiler" / "pinroute"
PAGE = ROOT / "docs" / "diagnostics.md"
SUFFIXES = (".yaml", ".recipe.json")
FILES = sorted((ROOT / "samples" / "invalid").iterdir())
SAMPLES = [path for path in FILES if path.name.endswith(SUFFIXES)]
CODES = codes()
# What only a cluster shows; tests/cluster has a case for each.
OF_A_CLUSTER = [code for code in CODES if code.startswith("PIN4")]
OF_FILES = [code for code in CODES if code not in OF_A_CLUSTER]


class Said(NamedTuple):
    """A finding as it is printed."""

    severity: str
    code: str
    hint: bool


def said(text: str) -> list[Said]:
    """Return the findings of a report."""
    found: list[Said] = []
    for line in text.splitlines():
        head = re.match(r"[^ ]+:\d+:\d+: (\w+)\[(PIN\d{3})\] .", line)
        if head is not None:
            found.append(Said(head[1], head[2], hint=False))
        elif line.startswith("  hint: "):
            found[-1] = found[-1]._replace(hint=True)
    return found


def stem(path: Path) -> str:
    return path.name.removesuffix(SUFFIXES[0]).removesuffix(SUFFIXES[1])


def test_codes_are_well_formed() -> None:
    assert CODES
    assert all(re.fullmatch(r"PIN[0-5]\d\d", code) for code in CODES)
    names = [rule(code).name for code in CODES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@pytest.mark.parametrize("code", OF_A_CLUSTER)
def test_a_code_of_a_cluster_has_its_test(code: str) -> None:
    tests = (ROOT / "tests" / "cluster").rglob("test_*.py")
    assert any(code in path.read_text("utf-8") for path in tests)


@pytest.mark.parametrize("code", OF_FILES)
def test_a_code_has_its_sample(code: str, golden: Golden) -> None:
    own = f"{code}-{rule(code).name}"
    assert [stem(path) for path in SAMPLES].count(own) == 1
    assert golden.update or (golden.root / "invalid" / f"{own}.txt").is_file()


@pytest.mark.parametrize("sample", SAMPLES, ids=stem)
def test_a_sample_raises_the_code_that_it_is_called_after(sample: Path, invalid: Invalid) -> None:
    code = stem(sample).split("-", 1)[0]
    found = said(invalid.compile(sample).err)
    assert code in {item.code for item in found}
    for item in found:
        assert item.severity == rule(item.code).severity.value
        assert item.hint, f"{item.code} says what is wrong, and not what to do about it"


def test_samples_say_what_is_wrong_with_them() -> None:
    mute = {"PIN003-utf16", "PIN008-empty-input"}
    for sample in SAMPLES:
        if sample.suffix == ".yaml" and stem(sample) not in mute:
            first = sample.read_bytes().decode("utf-8-sig", "replace").splitlines()[0]
            assert re.fullmatch(r"# [^ ].{8,90}", first), sample.name


def test_the_folder_holds_nothing_else() -> None:
    assert [path.name for path in FILES if path not in SAMPLES] == ["README.md"]


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_explained(code: str, pinroute: Pinroute) -> None:
    entry = rule(code)
    for text in (entry.summary, entry.explain.strip()):
        assert text.endswith(".")
        assert len(text) > 10
    assert not entry.message.endswith(".")
    assert not entry.hint.endswith(".")
    result = pinroute.run("explain", code)
    assert (result.code, result.err) == (0, "")
    assert entry.summary in result.out


@pytest.mark.parametrize("code", CODES)
def test_examples_are_yaml(code: str) -> None:
    """A wrong example is YAML too, unless just that is what is wrong with it."""
    for example, wrong in ((rule(code).wrong, True), (rule(code).right, False)):
        text = re.sub(r"(?m)^…$", "# …", example)
        _, found = parse("example", text)
        expected = {code} if wrong and code in UNREADABLE else set()
        assert {item.code for item in found} == (expected if example else set())


UNREADABLE = ("PIN001", "PIN002", "PIN005", "PIN010", "PIN014")


# --- The sources -----------------------------------------------------------------------------


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def test_the_sources_raise_every_code_and_no_other() -> None:
    raised = {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"PIN\d{3}", node.value)
    }
    assert raised == set(CODES)
    mentioned = {
        code
        for path in PACKAGE.rglob("*.py")
        for code in re.findall(r"PIN\d{3}", path.read_text("utf-8"))
    }
    assert mentioned == set(CODES)


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_callers_give_what_the_templates_use() -> None:
    checked: set[str] = set()
    for path, tree in sources():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id != "diagnose" or not node.args:
                continue
            first = node.args[0]
            branches = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            given = {keyword.arg for keyword in node.keywords}
            for branch in branches:
                if not isinstance(branch, ast.Constant):
                    continue
                code = str(branch.value)
                used = fields(rule(code).message)
                if "hint" not in given:
                    used |= fields(rule(code).hint)
                assert used <= given, f"{path.name}:{node.lineno}: {code}"
                checked.add(code)
    assert len(checked) > 0.9 * len(CODES)


# --- The page --------------------------------------------------------------------------------


def test_the_page_is_the_catalogue(golden: Golden) -> None:
    golden.check(PAGE, reference())


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_in_the_page(code: str) -> None:
    entry, text = rule(code), PAGE.read_text("utf-8")
    anchor = f"{code.lower()}-{entry.name}"
    assert f"| [{code}](#{anchor}) | {entry.name} | {entry.severity.value} | " in text
    assert f"\n### {code} {entry.name}\n" in text
