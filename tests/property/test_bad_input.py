"""Whatever stands in a file, pinroute answers: 0, 1 or 2, and never half a result."""

import contextlib
import gc
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pinroute.cli import main
from pinroute.cli.formats import FORMATS, Report
from pinroute.compilation import Compilation, Source, compile_specs
from pinroute.diagnostics import Severity

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
TEXTS = [
    path.read_bytes().decode("utf-8", "replace")
    for path in sorted([*SAMPLES.glob("*.yaml"), *SAMPLES.glob("invalid/*.yaml")])
    if path.stat().st_size < 10_000
]
# Everything that a spec passes through, and a file beside it; and one that splits nobody.
RICH = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: rich, namespace: shop, labels: {team: a}}
spec:
  generation: 3
  environment: {kserve: {version: "0.16"}, localGateway: {host: gw.local, port: 8080}}
  route:
    hosts: [a.example.com]
    gateways: [istio-system/public]
    http:
    - name: raw
      raw:
        match: [{uri: {regex: "/r.*"}, headers: {x-a: {exact: "1"}}, port: 80}]
        route:
        - destination: {host: a.shop.svc.cluster.local, port: {number: 80}}
          headers: {request: {set: {x-b: "2"}}}
        timeout: 5s
        headers: {response: {add: {x-c: "3"}}}
    - name: some
      match:
      - {uri: {prefix: /p}, ignoreUriCase: true, method: {exact: GET}, scheme: {exact: http}}
      - {headers: {x-a: {regex: "b+"}}, withoutHeaders: {x-d: {}}, queryParams: {q: {exact: "1"}}}
      - {authority: {prefix: a}, gateways: [istio-system/public], sourceLabels: {a: b}}
      retries: {attempts: 2, perTryTimeout: 1s, retryOn: 5xx}
  userHash: {from: {header: userhash}, alphabet: abc, digits: 3, strict: true, trust: edge}
  versions:
  - name: v1
    service: {host: app, port: 80, subset: one}
    headers:
      request: {set: {x-m: "%PROTOCOL%"}, add: {x-n: o}, remove: [x-o]}
      response: {set: {x-p: p}, add: {x-q: q}, remove: [x-r]}
    rewrite: {uri: /new}
  - name: v2
    inferenceService: {name: model, service: own, transformer: {a: [b]}, predictor: {c: {}}}
  baseline: v1
  groups: [{name: g, version: v2, prefixes: [ab, c]}]
  fallback: {unassigned: v1, noHash: v2, malformed: v1}
  promotion: {strategy: swap}
  output: {rules: minimal, iter8Experiment: true}
  criteria: {rewards: [{metric: m, preferredDirection: High}], indicators: [i]}
  actions: {start: [{task: t, with: {a: 1}}]}
  duration: {intervalSeconds: 5}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: shop}
spec: {host: app, subsets: [{name: one, labels: {v: a}}]}
---
kind: List
items: [{apiVersion: v1, kind: ConfigMap}, {kind: List, items: []}]
"""
RAW_ONLY = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: raw}
spec:
  route: {hosts: [a.com], gateways: [a/b], http: [{name: r, raw: {redirect: {uri: /}}}]}
  userHash: {from: {header: userhash}}
  versions: [{name: v1, service: {host: app}}]
  baseline: v1
"""
NAMED = {
    **{path.stem: path.read_text("utf-8") for path in sorted(SAMPLES.glob("*.yaml"))},
    "rich": RICH,
    "raw-only": RAW_ONLY,
}
GOOD = list(NAMED.values())
TEXTS += [RICH, RAW_ONLY]
MORE = settings().max_examples * 10
Mutate = Callable[..., dict[str, Any]]


def objects(text: str | bytes) -> list[Any]:
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def read(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def check(data: bytes) -> Compilation:
    """Compile in process: any exception is a failure, and findings point into the text."""
    result = compile_specs([Source("spec.yaml", data, read)], all_stages=True)
    lines = data.decode("utf-8", "replace").splitlines() or [""]
    for item in result.diagnostics:
        span = item.span
        assert span.file == "spec.yaml"
        assert 1 <= span.line <= len(lines) + 1
        assert (span.line, span.column) <= (span.end_line, span.end_column)
        assert item.message
        assert "{" not in item.name
    assert list(result.diagnostics) == sorted(result.diagnostics, key=lambda item: item.span)
    assert result.failed == any(item.severity is Severity.ERROR for item in result.diagnostics)
    assert not (result.failed and result.experiments)
    for compiled in result.experiments:
        for name, text in compiled.files().items():
            assert all(isinstance(body, dict) for body in objects(text)), name
        for stage in compiled.rendered:
            json.dumps(stage.objects)
    assert FORMATS["text"](Report(result.diagnostics)).count("\n") >= len(result.diagnostics)
    assert FORMATS["github"](Report(result.diagnostics)).count("\n") == len(result.diagnostics)
    return result


# Text: lines and characters.

BITS = [
    "\t", " ", "  ", "\n", "\r", "\r\n", ":", ": ", "-", "- ", "#", " #", "'", '"', "{", "}", "[",
    "]", ",", "&a ", "*a", "<<: *a", "<<", "!", "!!int ", "!!python/object:os.system ", "|", ">",
    "|+\n", "? ", "%", "%YAML 2.0\n", "---", "\n---\n", "...", "\x00", "\x07", "\x85", "\u2028",
    "\ufeff", "é", "😀", "0", "1e5", "0x1", "null", "~", "true", "{}", "[]", "@", "`", "\\", "\x7f",
    "name: x", "apiVersion: v1", "kind: List", "items:", "spec:", "version: v1", "prefixes: []",
    "x" * 300,
]  # fmt: skip


WORD = re.compile(r"[\w./%*-]+")


def _with_other_word(draw: st.DrawFn, text: str) -> str:
    words = list(WORD.finditer(text))
    if not words:
        return text
    word, other = draw(st.sampled_from(words)), draw(st.sampled_from(words))
    new = draw(st.sampled_from([other[0], f'"{other[0]}"', "", "x", "0", "1e5", "*", "{}", "[]"]))
    return text[: word.start()] + new + text[word.end() :]


def _with_other_line(draw: st.DrawFn, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    column = draw(st.integers(0, len(line)))
    kind = draw(st.sampled_from("delete delete copy copy insert indent bit cut any end".split()))
    if kind == "delete":
        del lines[at]
    elif kind == "copy":
        lines.insert(draw(st.integers(0, len(lines))), line)
    elif kind == "insert":
        lines.insert(at, draw(st.sampled_from(BITS)) + "\n")
    elif kind == "indent":
        changed = [" " + line, "  " + line, line[1:], line[2:], "\t" + line]
        lines[at] = draw(st.sampled_from(changed))
    elif kind == "bit":
        lines[at] = line[:column] + draw(st.sampled_from(BITS)) + line[column:]
    elif kind == "cut":
        lines[at] = line[:column] + line[column + draw(st.integers(1, 4)) :]
    elif kind == "any":
        lines[at] = line[:column] + draw(st.text(max_size=3)) + line[column + 1 :]
    else:
        lines = [*lines[:at], line[:column]]
    return "".join(lines)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A sample with a few words, lines or characters taken away, put in, or moved."""
    text = draw(st.sampled_from(GOOD) | st.sampled_from(GOOD) | st.sampled_from(TEXTS))
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        change = draw(st.sampled_from([_with_other_word, _with_other_word, _with_other_line]))
        text = change(draw, text)
    return text


@given(damaged())
@settings(max_examples=MORE)
def test_damaged_text_is_answered(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(TEXTS), st.data())
@settings(max_examples=MORE // 4)
def test_damaged_bytes_are_answered(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    at = data.draw(st.integers(0, len(raw)))
    noise = data.draw(st.binary(max_size=4))
    check(raw[:at] + noise + raw[at + data.draw(st.integers(0, 3)) :])


@given(
    st.binary(max_size=60) | st.text(st.sampled_from("{}[]:,-?&*!|>'\"%@# \n\tabc01"), max_size=40)
)
@settings(max_examples=MORE // 4)
@example(b"")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
def test_noise_is_answered(noise: bytes | str) -> None:
    check(noise if isinstance(noise, bytes) else noise.encode())


# Structure: fields and values.


@given(data=st.data())
@settings(max_examples=MORE)
def test_damaged_structure_is_answered(
    data: st.DataObject, documents: list[dict[str, Any]], mutate: Mutate
) -> None:
    changed = mutate(data.draw, data.draw(st.sampled_from(documents)))
    if data.draw(st.booleans()):
        text = json.dumps(changed)
    else:
        text = yaml.safe_dump(changed, allow_unicode=data.draw(st.booleans()))
    check(text.encode())


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2.0, 0.5, 10**30, "", "x", "a b", "*", "%FOO%", "\n", "a\x00b",
    "1e5", "é", [], [None], [[]], ["x"], [{}], {}, {"x": None}, {"name": "x"}, {"prefix": 5},
]  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_every_place_with_odd_values(name: str) -> None:
    """Every field and item once; where the schema does not look, with every odd value."""
    bodies = list(yaml.safe_load_all(NAMED[name]))
    assert not check(joined(bodies)).failed
    for body in bodies:
        for number, (parent, step, unseen) in enumerate(list(places(body))):
            before = parent[step]
            for odd in VALUES if unseen else VALUES[number % 9 :: 9]:
                parent[step] = odd
                check(joined(bodies))
            parent[step] = before


def joined(bodies: list[Any]) -> bytes:
    return "---\n".join(json.dumps(item) + "\n" for item in bodies).encode()


def places(node: Any, unseen: bool = False) -> Iterator[tuple[Any, Any, bool]]:
    """Each field and item, and whether it is passed through without a schema."""
    unseen = unseen or (isinstance(node, dict) and node.get("kind") == "DestinationRule")
    for step, item in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, step, unseen
        if isinstance(item, dict | list):
            yield from places(item, unseen or step in ("raw", "match"))


# The command line.


class Ran(NamedTuple):
    """What a command did."""

    code: object
    out: bytes
    err: str


def run(words: list[str], stdin: bytes = b"") -> Ran:
    """Call the command line in process, as the console script does."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    code: object = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(words)
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdin = before
        gc.enable()
    for stream in (out, err):
        stream.flush()
    written, told = out.buffer, err.buffer
    assert isinstance(written, io.BytesIO)
    assert isinstance(told, io.BytesIO)
    return Ran(code, written.getvalue(), told.getvalue().decode("utf-8", "replace"))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with the samples' companions, in which the commands run."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        shutil.copytree(SAMPLES / "manifests", Path(name) / "manifests")
        yield Path(name)


def answered(ran: Ran) -> None:
    assert ran.code in (0, 1, 2), ran
    assert "Traceback" not in ran.err
    assert "this is a bug" not in ran.err


COMPILE = [
    ["compile", "spec.yaml"],
    ["compile", "-"],
    ["compile", "-f", "spec.yaml", "-o", "json"],
    ["compile", "spec.yaml", "--stage", "promote-v2"],
    ["compile", "spec.yaml", "--env", "spec.yaml"],
    ["compile", "spec.yaml", "-d", "out"],
]
OTHERS = [
    ["validate", "spec.yaml"],
    ["validate", "-o", "json", "spec.yaml"],
    ["validate", "-o", "sarif", "--fail-on=note", "spec.yaml"],
    ["validate", "-o", "github", "-"],
    ["compile", "spec.yaml", "-d", "out", "--check"],
    ["lookup", "101", "", "é", "--absent", "-f", "spec.yaml"],
    ["lookup", "101", "-f", "spec.yaml", "-o", "json"],
    ["lookup", "--hashes", "spec.yaml", "-f", "spec.yaml"],
    ["stage", "list", "-f", "spec.yaml"],
    ["stage", "set", "done", "-f", "spec.yaml"],
    ["fmt", "--check", "spec.yaml"],
    ["fmt", "-"],
]


@given(text=damaged(), words=st.sampled_from(COMPILE))
@settings(max_examples=MORE // 2)
def test_a_failed_compile_writes_nothing(text: str, words: list[str], folder: Path) -> None:
    data = text.encode("utf-8", "surrogatepass")
    (folder / "spec.yaml").write_bytes(data)
    before = written(folder / "out")
    ran = run(words, data)
    answered(ran)
    if ran.code != 0:
        assert ran.out == b""
        assert ran.err
        assert written(folder / "out") == before
    elif "-d" in words:
        assert ran.out == b""
    else:
        assert all(isinstance(body, dict) for body in objects(ran.out))


def written(folder: Path) -> dict[str, bytes]:
    return {os.fspath(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@given(text=damaged(), words=st.sampled_from(OTHERS))
@settings(max_examples=MORE // 2)
def test_every_command_answers(text: str, words: list[str], folder: Path) -> None:
    data = text.encode("utf-8", "surrogatepass")
    (folder / "spec.yaml").write_bytes(data)
    ran = run(words, data)
    answered(ran)
    if "json" in words and ran.out:
        json.loads(ran.out)
    if words[0] in ("lookup", "stage") and ran.code != 0:
        assert ran.out == b""


@given(
    words=st.lists(
        st.sampled_from(
            "compile validate lookup stage set list explain schema fmt init completion version "
            "-f -d -o -R - -- --env --stage --check --write --output --hashes --absent --help "
            "-h -V --fail-on --list json yaml text spec.yaml missing.yaml . PIN201 PIN999 "
            "spec.groups spec.x bash 101 done promote-v9 manifests".split()
        )
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3),
        max_size=6,
    ),
    text=st.sampled_from(GOOD),
)
@settings(max_examples=MORE // 2)
def test_any_words_are_answered(words: list[str], text: str, folder: Path) -> None:
    if any("/" in word or ".." in word for word in words):  # stay in the folder
        return
    (folder / "spec.yaml").write_text(text, "utf-8")
    answered(run(words, text.encode()))
