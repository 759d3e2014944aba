"""`pinroute impact` in a real git repository, as reviewers, CI and hooks call it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "cli" / "impact.schema.json").read_text("utf-8"))

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {{name: {name}, namespace: shop}}
spec:
  stage: {stage}
  route:
    hosts: [{hosts}]
    gateways: [istio-system/public]
{http}  userHash: {{from: {{header: {header}}}, alphabet: {alphabet}, digits: {digits}}}
  versions:
  - {{name: checkout-v1, service: {{host: checkout-v1, port: 80}}}}
  - {{name: checkout-v2, service: {{host: checkout-v2, port: 80}}}}
  baseline: checkout-v1
  groups:
  - {{name: treatment, version: checkout-v2, prefixes: [{prefixes}]}}
  fallback: {{unassigned: checkout-v1, noHash: {no_hash}}}
"""


def spec(prefixes: str, **fields: Any) -> str:
    """Return the text of a spec; prefixes are separated by blanks."""
    defaults = {
        "name": "checkout",
        "stage": "experiment",
        "hosts": f"{fields.get('name', 'checkout')}.example.com",
        "http": "",
        "header": "userhash",
        "alphabet": "binary",
        "digits": 10,
        "no_hash": "checkout-v1",
    }
    quoted = ", ".join(f'"{prefix}"' for prefix in prefixes.split())
    return SPEC.format(**{**defaults, **fields, "prefixes": quoted})


class Repo:
    """A git repository in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "PINROUTE")) and "COLOR" not in name
        }
        self.env = {
            **kept,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
            **{f"GIT_{who}_NAME": "a" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "a@example.com" for who in ("AUTHOR", "COMMITTER")},
        }

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def commit(self, name: str | None = None, text: str = "") -> str:
        """Commit everything, with a file written before; return the revision."""
        if name is not None:
            self.write(name, text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "--short", "HEAD")

    def impact(self, *words: str, cwd: str = ".", **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pinroute", "impact", *words],
            cwd=self.folder / cwd,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1, 2), done.stderr
        assert "Traceback" not in done.stderr
        return done

    def told(self, *words: str, code: int = 0, cwd: str = ".") -> dict[str, Any]:
        """Return the JSON of an impact; it validates against its schema."""
        done = self.impact(*words, "-o", "json", cwd=cwd)
        assert done.returncode == code, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        jsonschema.validate(found, SCHEMA)
        return found


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = Repo(tmp_path / "repo")
    found.folder.mkdir()
    found.git("init", "--quiet", "--initial-branch", "main")
    return found


def moves(found: dict[str, Any]) -> list[tuple[str, str, float, list[str]]]:
    return [(item["from"], item["to"], item["share"], item["prefixes"]) for item in found["moves"]]


FORTH = ("checkout-v1", "checkout-v2")
BACK = ("checkout-v2", "checkout-v1")

# --- Where the two sides come from -----------------------------------------------------------------


def test_a_file_against_its_last_commit(repo: Repo) -> None:
    repo.commit("experiments/checkout.yaml", spec("000 111"))
    repo.write("experiments/checkout.yaml", spec("000 0010"))
    done = repo.impact("HEAD:experiments/checkout.yaml", "experiments/checkout.yaml")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == (
        "EXPERIMENT   ROUTE                  FROM          TO                   MOVED      WITNESS      PREFIXES\n"
        "checkout     checkout.example.com   checkout-v2   checkout-v1 (back)   12.5000%   1110000000   111\n"
        "checkout     checkout.example.com   checkout-v1   checkout-v2          6.2500%    0010000000   0010\n"
        "\n"
        "18.7500% of the users move; 12.5000% go back\n"
    )


def test_two_revisions(repo: Repo) -> None:
    first = repo.commit("a.yaml", spec("00"))
    second = repo.commit("a.yaml", spec("00 01"))
    repo.commit("a.yaml", spec("1"))
    found = repo.told(f"{first}:a.yaml", f"{second}:a.yaml")
    assert moves(found) == [(*FORTH, 0.25, ["01"])]
    assert found["moved"] == 0.25
    assert moves(repo.told(f"{second}:a.yaml", f"{first}:a.yaml")) == [(*BACK, 0.25, ["01"])]
    # A branch and a tag are revisions too.
    repo.git("tag", "before", first)
    assert repo.told("before:a.yaml", f"{second}:a.yaml") == found
    assert repo.impact("main:a.yaml", "a.yaml").stdout == "nobody moves\n"


def test_a_folder_against_a_branch(repo: Repo) -> None:
    repo.write("experiments/search.yml", spec("0", name="search"))
    repo.write("experiments/deep/cart.json", json.dumps({}))
    repo.write("experiments/notes.md", "no spec")
    repo.commit("experiments/checkout.yaml", spec("00"))
    repo.git("checkout", "--quiet", "-b", "change")
    repo.write("experiments/search.yml", spec("1", name="search"))
    repo.commit("experiments/new.yaml", spec("1", name="new"))
    found = repo.told("main:experiments", "experiments")
    assert [(item["experiment"], item["from"]) for item in found["moves"]] == [
        ("search", "checkout-v1"),
        ("search", "checkout-v2"),
    ]
    assert found["moved"] == 1
    # A slash at the end, and both sides from git.
    assert repo.told("main:experiments/", "change:experiments") == found
    # Everything at the top of a revision, from anywhere in the tree.
    repo.write("top.yaml", spec("1", name="top"))
    repo.commit()
    repo.write("top.yaml", spec("11", name="top"))
    for cwd, here in ((".", "."), ("experiments", "..")):
        assert moves(repo.told("HEAD:", here, cwd=cwd)) == [(*BACK, 0.25, ["10"])]


def test_folders_inside_of_folders(repo: Repo) -> None:
    repo.write("experiments/team/cart.yaml", spec("0", name="cart"))
    repo.commit("experiments/checkout.yaml", spec("00"))
    repo.write("experiments/team/cart.yaml", spec("00", name="cart"))
    assert repo.told("HEAD:experiments", "experiments")["moves"] == []
    found = repo.told("HEAD:experiments", "experiments", "-R")
    assert [item["experiment"] for item in found["moves"]] == ["cart"]


def test_names_that_git_would_quote(repo: Repo) -> None:
    repo.commit("experiments/süß und neu.yaml", spec("00"))
    repo.write("experiments/süß und neu.yaml", spec("0"))
    assert moves(repo.told("HEAD:experiments", "experiments")) == [(*FORTH, 0.25, ["01"])]
    name = "experiments/süß und neu.yaml"
    assert moves(repo.told(f"HEAD:{name}", name)) == [(*FORTH, 0.25, ["01"])]


def test_paths_from_a_folder_below(repo: Repo) -> None:
    """As for git: `REV:path` is seen from the top, `REV:./path` from here."""
    repo.commit("experiments/checkout.yaml", spec("00"))
    repo.write("experiments/checkout.yaml", spec("0"))
    for old in ("HEAD:experiments/checkout.yaml", "HEAD:./checkout.yaml"):
        found = repo.told(old, "checkout.yaml", cwd="experiments")
        assert moves(found) == [(*FORTH, 0.25, ["01"])]
    assert moves(repo.told("HEAD:./", ".", cwd="experiments")) == [(*FORTH, 0.25, ["01"])]


def test_a_file_whose_name_looks_like_a_revision(repo: Repo) -> None:
    repo.commit("HEAD:a.yaml", spec("00"))
    repo.write("b.yaml", spec("0"))
    assert moves(repo.told("HEAD:a.yaml", "b.yaml")) == [(*FORTH, 0.25, ["01"])]


KSERVE = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: flowers}
spec:
  environment: {kserve: {version: "0.16"}}
  route: {hosts: [flowers.example.com], gateways: [knative-serving/gateway]}
  userHash: {from: {header: userhash}}
  versions:
  - {name: one, inferenceService: {name: flowers, namespace: a, manifest: MANIFEST}}
  - {name: two, inferenceService: {name: flowers, namespace: b, manifest: MANIFEST}}
  baseline: one
  groups: [{name: treatment, version: two, prefixes: [PREFIXES]}]
"""
MANIFEST = "---\n".join(
    f"""\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {{name: flowers, namespace: {namespace}}}
spec: {{predictor: {{tensorflow: {{storageUri: "gs://a/{namespace}"}}}}}}
"""
    for namespace in "ab"
)


@pytest.mark.parametrize("manifest", ["one.yaml", "manifests/one.yaml", "../shared/one.yaml"])
def test_what_stands_beside_a_spec_is_read_from_the_same_revision(
    repo: Repo, manifest: str
) -> None:
    def flowers(prefixes: str) -> str:
        return KSERVE.replace("MANIFEST", manifest).replace("PREFIXES", prefixes)

    beside = repo.write(f"teams/flowers/{manifest}", MANIFEST)
    first = repo.commit("teams/flowers/flowers.yaml", flowers('"00"'))
    beside.unlink()
    gone = repo.commit("teams/flowers/flowers.yaml", flowers('"0"'))
    repo.write(f"teams/flowers/{manifest}", MANIFEST)
    path = "teams/flowers/flowers.yaml"
    wanted = [("one", "two", 0.25, ["01"])]
    assert moves(repo.told(f"{first}:{path}", path)) == wanted
    found = repo.told(f"{first}:./flowers.yaml", "flowers.yaml", cwd="teams/flowers")
    assert moves(found) == wanted
    broken = repo.impact(f"{gone}:{path}", path)
    assert broken.returncode == 1
    assert "PIN231" in broken.stderr
    done = repo.impact("--history", path)
    assert done.returncode == 0
    assert done.stderr == f"{gone}:{path}: passed over, it does not compile\n"


# --- History --------------------------------------------------------------------------------------


def test_a_user_who_comes_back(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00 11"))
    repo.commit("a.yaml", spec("11"))
    assert repo.impact("--history", "a.yaml", "--forbid-back").stdout == "nobody moves\n"
    repo.write("a.yaml", spec("11 0"))
    found = repo.told("--history", "a.yaml")
    assert moves(found) == [(*FORTH, 0.25, ["00"])]
    assert found["moves"][0]["back"] is True
    done = repo.impact("--history", "a.yaml", "--forbid-back")
    assert done.returncode == 1
    assert done.stderr == "users go back, or lose their route\n"
    assert "25.0000% of the users move; 25.0000% go back\n" in done.stdout
    # The last step alone brings nobody back to the baseline.
    assert repo.impact("HEAD:a.yaml", "a.yaml", "--forbid-back").returncode == 0
    # Committed, it is a state like the others.
    repo.commit()
    assert repo.told("--history", "a.yaml") == found
    # From a folder below, too.
    (repo.folder / "below").mkdir()
    assert repo.told("--history", "../a.yaml", cwd="below") == found


def test_a_ramp_that_goes_forward_brings_nobody_back(repo: Repo) -> None:
    for prefixes in ("0000", "000", "00", "0", "0 1"):
        repo.commit("a.yaml", spec(prefixes))
    repo.commit("a.yaml", spec("0 1", stage="promote-v2"))
    done = repo.impact("--history", "a.yaml", "--forbid-back")
    assert (done.returncode, done.stdout) == (0, "nobody moves\n")
    repo.commit("a.yaml", spec("0 1", stage="done"))
    assert repo.impact("--history", "a.yaml", "--forbid-back").returncode == 1


def test_broken_states_are_passed_over_and_told(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00"))
    broken = repo.commit("a.yaml", spec("02"))
    unread = repo.commit("a.yaml", "a: [\n")
    repo.git("rm", "--quiet", "a.yaml")
    repo.commit()
    repo.commit("a.yaml", spec("11"))
    repo.commit("a.yaml", spec("00 11"))
    done = repo.impact("--history", "a.yaml")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"{broken}:a.yaml: passed over, it does not compile",
        f"{unread}:a.yaml: passed over, it does not compile",
    ]
    assert "25.0000% go back" in done.stdout


@pytest.mark.parametrize(("text", "code"), [(spec("02"), 1), ("a: [\n", 2), ("", 2)])
def test_a_present_state_that_is_broken_is_no_answer(repo: Repo, text: str, code: int) -> None:
    repo.commit("a.yaml", spec("00"))
    repo.write("a.yaml", text)
    done = repo.impact("--history", "a.yaml", "--forbid-back")
    assert (done.returncode, done.stdout) == (code, "")
    assert "error[PIN" in done.stderr


def test_another_alphabet_begins_a_new_history(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00"))
    repo.commit("a.yaml", spec("11", alphabet="hex"))
    repo.commit("a.yaml", spec("00", alphabet="hex"))
    assert repo.impact("--history", "a.yaml").stdout == "nobody moves\n"
    repo.commit("a.yaml", spec("11", alphabet="hex"))
    assert moves(repo.told("--history", "a.yaml")) == [
        (*FORTH, 1 / 256, ["11"]),
        (*BACK, 1 / 256, ["00"]),
    ]


def test_every_experiment_of_a_file_has_its_own_history(repo: Repo) -> None:
    def both(one: str, two: str) -> str:
        return f"{spec(one, name='one')}---\n{spec(two, name='two')}"

    repo.commit("a.yaml", both("00", "11"))
    repo.commit("a.yaml", both("01", "11"))
    repo.commit("a.yaml", both("00", "11"))
    found = repo.told("--history", "a.yaml")
    assert {item["experiment"] for item in found["moves"]} == {"one"}
    assert moves(found) == [(*FORTH, 0.25, ["00"]), (*BACK, 0.25, ["01"])]


def test_a_file_that_git_does_not_know_has_no_past(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00"))
    repo.write("b.yaml", spec("00", name="b"))
    assert repo.impact("--history", "b.yaml").stdout == "nobody moves\n"


def test_a_history_follows_renames(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00 11"))
    repo.git("mv", "a.yaml", "b.yaml")
    repo.commit()
    repo.commit("b.yaml", spec("11"))
    (repo.folder / "experiments").mkdir()
    repo.git("mv", "b.yaml", "experiments/süß.yaml")
    # Renamed and changed in one commit.
    repo.commit("experiments/süß.yaml", spec("11 0"))
    for cwd, name in ((".", "experiments/süß.yaml"), ("experiments", "süß.yaml")):
        found = repo.told("--history", name, cwd=cwd)
        assert moves(found) == [(*FORTH, 0.25, ["00"])]


def test_a_history_follows_a_rename_that_is_not_committed(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00 11"))
    repo.commit("a.yaml", spec("11"))
    repo.git("mv", "a.yaml", "b.yaml")
    repo.write("b.yaml", spec("11 0"))
    assert moves(repo.told("--history", "b.yaml")) == [(*FORTH, 0.25, ["00"])]


def test_a_history_is_that_of_the_branch_itself(repo: Repo) -> None:
    """What a side branch tried out was never live; what its merge brought is."""
    repo.commit("a.yaml", spec("00"))
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit("a.yaml", spec("11"))
    repo.commit("a.yaml", spec("00 01"))
    repo.git("checkout", "--quiet", "main")
    repo.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
    assert repo.impact("--history", "a.yaml").stdout == "nobody moves\n"
    repo.commit("a.yaml", spec("00"))
    found = repo.told("--history", "a.yaml")
    assert moves(found) == [(*BACK, 0.25, ["01"])]


def test_an_experiment_that_is_gone_has_no_history(repo: Repo) -> None:
    one, two = spec("00", name="one"), spec("11", name="two")
    for prefixes in ("00", "01", "00"):
        repo.commit("a.yaml", spec(prefixes, name="one") + "---\n" + two)
    assert repo.told("--history", "a.yaml")["moves"]
    repo.commit("a.yaml", two)
    assert repo.told("--history", "a.yaml")["moves"] == []
    repo.commit("a.yaml", one + "---\n" + two)
    assert repo.told("--history", "a.yaml")["moves"]


# --- Since a revision ---------------------------------------------------------------------------------


def test_files_since_a_revision(repo: Repo) -> None:
    repo.write("experiments/search.yaml", spec("0", name="search"))
    repo.commit("experiments/checkout.yaml", spec("00"))
    repo.write("experiments/checkout.yaml", spec("0"))
    repo.write("experiments/search.yaml", spec("01", name="search"))
    names = ["experiments/checkout.yaml", "experiments/search.yaml"]
    found = repo.told("--since", "HEAD", *names)
    assert moves(found) == [(*FORTH, 0.25, ["01"]), (*BACK, 0.25, ["00"])]
    assert moves(repo.told("--since", "HEAD", names[0])) == [(*FORTH, 0.25, ["01"])]
    assert repo.told("--since", "HEAD", "checkout.yaml", "search.yaml", cwd="experiments") == found
    for folder, cwd in (("experiments", "."), (".", "experiments"), ("experiments/", ".")):
        assert repo.told("--since", "HEAD", folder, cwd=cwd)["moved"] == 0.25
    absolute = str(repo.folder / names[0])
    assert moves(repo.told("--since", "main", absolute)) == [(*FORTH, 0.25, ["01"])]


def test_folders_inside_of_folders_since_a_revision(repo: Repo) -> None:
    repo.commit("experiments/team/cart.yaml", spec("0", name="cart"))
    repo.write("experiments/team/cart.yaml", spec("00", name="cart"))
    repo.write("experiments/new.yaml", spec("1", name="new"))
    assert repo.told("--since", "HEAD", "experiments")["moves"] == []
    assert moves(repo.told("--since", "HEAD", "-R", ".")) == [(*BACK, 0.25, ["01"])]


def test_new_files_move_nobody(repo: Repo) -> None:
    repo.write("a.yaml", spec("00"))
    # No commit, a commit without the file, a file that git does not know.
    assert repo.impact("--since", "HEAD", "a.yaml").stdout == "nobody moves\n"
    repo.commit("notes.md", "notes")
    repo.write("b.yaml", spec("00", name="b"))
    assert repo.impact("--since", "HEAD", "a.yaml", "b.yaml").stdout == "nobody moves\n"


def test_files_that_are_gone(repo: Repo) -> None:
    repo.write("notes.yaml", "a: {{ .Values.a }}")
    repo.write("deep/search.yaml", spec("0", name="search"))
    repo.commit("a.yaml", spec("00"))
    (repo.folder / "notes.yaml").unlink()
    repo.git("rm", "--quiet", "-r", "deep")
    lost = [("search", "search.example.com", "unrouted")]
    for words in ([], ["a.yaml"], ["deep/search.yaml"], ["deep"], ["deep/search.yaml", "a.yaml"]):
        found = repo.told("--since", "HEAD", *words, "--forbid-back", code=1)
        assert [(m["experiment"], m["host"], m["to"]) for m in found["moves"]] == lost
    # The same experiment in another file is not lost.
    repo.write("elsewhere.yaml", spec("0", name="search"))
    assert repo.told("--since", "HEAD", "elsewhere.yaml")["moves"] == []


def test_renamed_files_since_a_revision(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00"))
    repo.git("mv", "a.yaml", "b.yaml")
    repo.write("b.yaml", spec("0"))
    assert moves(repo.told("--since", "HEAD", "b.yaml")) == [(*FORTH, 0.25, ["01"])]
    # The old name of a file that is compared under its new one.
    assert moves(repo.told("--since", "HEAD", "a.yaml", "b.yaml")) == [(*FORTH, 0.25, ["01"])]


def test_a_broken_state_of_before_is_told(repo: Repo) -> None:
    repo.commit("a.yaml", spec("02"))
    repo.write("a.yaml", spec("00"))
    done = repo.impact("--since", "HEAD", "a.yaml", "--forbid-back")
    assert (done.returncode, done.stdout) == (0, "nobody moves\n")
    assert done.stderr == "HEAD:a.yaml: passed over, it does not compile\n"
    repo.write("a.yaml", spec("02"))
    assert repo.impact("--since", "HEAD", "a.yaml").returncode == 1


# --- VirtualServices ----------------------------------------------------------------------------------

SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: checkout, namespace: shop}}
spec:
  hosts: [checkout.example.com]
  gateways: [istio-system/public]
  http:
  - match: [{matches}]
    route: [{{destination: {{host: checkout-v2}}}}]
  - route: [{{destination: {{host: checkout-v1}}}}]
"""


def service(prefixes: str) -> str:
    matches = [f'{{headers: {{userhash: {{prefix: "{text}"}}}}}}' for text in prefixes.split()]
    return SERVICE.format(matches=", ".join(matches))


ONE, TWO = (f"checkout-v{n}.shop.svc.cluster.local" for n in "12")


def test_virtual_services_on_both_sides(repo: Repo) -> None:
    repo.commit("vs.yaml", service("00"))
    repo.write("vs.yaml", service("0"))
    found = repo.told("HEAD:vs.yaml", "vs.yaml")
    assert moves(found) == [(ONE, TWO, 0.25, ["01"])]
    assert found["moves"][0]["experiment"] == "VirtualService shop/checkout"
    assert found["moves"][0]["request"]["host"] == "checkout.example.com"
    assert len(found["notes"]) == 1
    done = repo.impact("HEAD:vs.yaml", "vs.yaml", "--max-moved", "20%")
    assert done.returncode == 1
    assert done.stderr == (
        "VirtualService shop/checkout: the user hash is taken to be header 'userhash', 2 binary "
        "digits; --header, --alphabet and --digits say otherwise\n"
        "25.0000% of the users move, 20.0000% are allowed\n"
    )
    told = ("--header", "UserHash", "--alphabet", "binary", "--digits", "10")
    back = repo.impact("vs.yaml", "HEAD:vs.yaml", *told, "--forbid-back")
    assert (back.returncode, back.stderr) == (1, "users go back, or lose their route\n")
    assert "(back)   25.0000%   0100000000   01\n" in back.stdout
    # As a file since a revision, and as a history.
    assert moves(repo.told("--since", "HEAD", "vs.yaml")) == [(ONE, TWO, 0.25, ["01"])]
    repo.commit("vs.yaml", service("0"))
    repo.write("vs.yaml", service("00"))
    assert moves(repo.told("--history", "vs.yaml")) == [(TWO, ONE, 0.25, ["01"])]
    assert repo.impact("--history", "vs.yaml", "--forbid-back").returncode == 1


def test_a_virtual_service_and_a_spec(repo: Repo) -> None:
    repo.write("vs.yaml", service("00"))
    repo.write("a.yaml", spec("0 11"))
    forth = repo.told("vs.yaml", "a.yaml")
    assert moves(forth) == [(*FORTH, 0.5, ["01", "11"])]
    assert forth["moves"][0]["experiment"] == "checkout"
    back = repo.told("a.yaml", "vs.yaml", "--forbid-back", code=1)
    assert moves(back) == [(*BACK, 0.5, ["01", "11"])]
    repo.write("a.yaml", spec("00"))
    assert repo.told("vs.yaml", "a.yaml")["moves"] == []


def test_a_lost_path_of_a_virtual_service_has_a_request(repo: Repo) -> None:
    rule = (
        "  - match: [{uri: {prefix: /docs}, method: {exact: POST}, headers: {x-team: {exact: a}}}]\n"
        "    route: [{destination: {host: docs}}]\n"
    )
    head = service("00").partition("  - route:")[0]
    repo.write("old.yaml", head + rule)
    repo.write("new.yaml", head)
    found = repo.told("old.yaml", "new.yaml", "--forbid-back", code=1)
    move = next(item for item in found["moves"] if item["share"])
    assert (move["kind"], move["from"]) == ("path", "docs.shop.svc.cluster.local")
    assert (move["to"], move["share"]) == ("unrouted", 0.75)
    asked = move["request"]
    assert (asked["method"], asked["path"], asked["headers"]) == ("POST", "/docs", {"x-team": "a"})
    assert move["route"] == "POST /docs x-team:a"


def test_a_virtual_service_that_istio_refuses_is_no_answer(repo: Repo) -> None:
    repo.write("a.yaml", service("00"))
    repo.write("b.yaml", service("00").replace("prefix:", "prefiks:"))
    done = repo.impact("a.yaml", "b.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[PIN3" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--header", "user hash"], "--header 'user hash'"),
        (["--alphabet", "0"], "--alphabet"),
        (["--digits", "0"], "--digits"),
        (["--digits", "1"], "--digits 1: '00' of header 'userhash' has 2 digits"),
    ],
)
def test_wrong_user_hashes_are_told(repo: Repo, words: list[str], said: str) -> None:
    repo.write("a.yaml", service("00"))
    done = repo.impact("a.yaml", "a.yaml", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


# --- Another rotation, other shares -------------------------------------------------------------------


def rotating(key: str | None, group: str = "percent: 25", **output: Any) -> str:
    text = spec("00").replace('prefixes: ["00"]', group)
    text += f"  rotation: {{key: {key}}}\n" if key else ""
    return text + (f"  output: {json.dumps(output)}\n" if output else "")


def test_another_rotation_tells_who_was_where(repo: Repo) -> None:
    slot = "percent: 50, slot: {from: 0, to: 50}"
    repo.write("old.yaml", rotating(None, slot))
    shares = {}
    for key in "abcdef":
        repo.write("new.yaml", rotating(key, slot))
        found = repo.told("old.yaml", "new.yaml")
        shares[key] = {item["before"]: item["share"] for item in found["overlaps"]}
        assert {item["group"] for item in found["overlaps"]} == {"treatment"}
        assert sum(shares[key].values()) == 1
        # Half of the users are one block: it stays, or all of it goes.
        assert shares[key] in ({"treatment": 1}, {"unassigned": 1})
    assert len({str(item) for item in shares.values()}) == 2
    repo.write("done.yaml", rotating("a", slot).replace("stage: experiment", "stage: done"))
    repo.write("old.yaml", rotating("a", slot))
    assert repo.told("old.yaml", "done.yaml")["overlaps"] == []
    # The experiment before has ended; its groups are those that it had.
    away = next(key for key, share in shares.items() if "unassigned" in share)
    repo.write("old.yaml", rotating(None, slot).replace("stage: experiment", "stage: done"))
    repo.write("new.yaml", rotating(away, slot))
    [one] = repo.told("old.yaml", "new.yaml")["overlaps"]
    assert (one["group"], one["before"], one["share"]) == ("treatment", "unassigned", 1)
    text = repo.impact("old.yaml", "new.yaml").stdout
    assert text.endswith(
        "Another rotation: where the users of each group were before\n\n"
        "EXPERIMENT   GROUP       BEFORE       SHARE\n"
        "checkout     treatment   unassigned   100.0000%\n"
    )
    markdown = repo.impact("old.yaml", "new.yaml", "-o", "markdown").stdout
    assert "| `checkout` | `treatment` | `unassigned` | `100.0000%` |" in markdown
    github = repo.impact("old.yaml", "new.yaml", "-o", "github").stdout
    assert (
        "::notice title=checkout::100.0000%25 of the users of treatment were in unassigned"
        in github
    )


def test_other_shares_are_told(repo: Repo) -> None:
    repo.write("old.yaml", rotating(None, "percent: 5"))
    assert repo.told("old.yaml", "old.yaml")["shares"] == []
    repo.write("new.yaml", rotating(None, "percent: 5", maxRules=1))
    found = repo.told("old.yaml", "new.yaml")
    assert found["shares"] == [
        {"experiment": "checkout", "group": "treatment", "wanted": 0.05, "share": 0.03125}
    ]
    assert repo.impact("old.yaml", "new.yaml").stdout.endswith(
        "checkout: group treatment has 3.1250% of the users, not 5.0000%, because of "
        "output.maxRules or output.tolerance\n"
    )
    for stage in ("observe", "done", "promote-v2"):
        told = repo.told("new.yaml", "new.yaml", "--new-stage", stage)["shares"]
        assert bool(told) == (stage == "observe")


def test_a_gateway_that_is_left(repo: Repo) -> None:
    repo.write("old.yaml", spec("00"))
    repo.write("new.yaml", spec("00").replace("istio-system/public", "istio-system/other"))
    found = repo.told("old.yaml", "new.yaml", "--forbid-back", code=1)
    [move] = found["moves"]
    assert (move["kind"], move["gateway"], move["to"]) == (
        "gateway", "istio-system/public", "unrouted",
    )  # fmt: skip
    assert (
        "checkout.example.com at istio-system/public" in repo.impact("old.yaml", "new.yaml").stdout
    )


# --- Limits and exit codes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "code"),
    [("25%", 0), ("25", 0), ("24.99%", 1), ("0", 1), ("100%", 0), ("99/4", 1), ("1e2", 0)],
)
def test_more_than_allowed(repo: Repo, limit: str, code: int) -> None:
    repo.write("old.yaml", spec("00"))
    repo.write("new.yaml", spec("0"))
    done = repo.impact("old.yaml", "new.yaml", "--max-moved", limit)
    assert done.returncode == code
    assert done.stdout.endswith("25.0000% of the users move; nobody goes back\n")
    assert done.stderr.startswith("25.0000% of the users move, ") == bool(code)


@pytest.mark.parametrize("limit", ["", "x", "-1", "101%", "nan", "inf", "1/0", "%", "5%%"])
def test_a_limit_that_is_none(repo: Repo, limit: str) -> None:
    repo.write("a.yaml", spec("00"))
    done = repo.impact("a.yaml", "a.yaml", "--max-moved", limit)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--max-moved" in done.stderr


def test_nobody_may_go_back(repo: Repo) -> None:
    repo.write("old.yaml", spec("00 01"))
    repo.write("less.yaml", spec("00"))
    repo.write("more.yaml", spec("00 01 11"))
    assert repo.impact("old.yaml", "more.yaml", "--forbid-back").returncode == 0
    done = repo.impact("old.yaml", "less.yaml", "--forbid-back")
    assert done.returncode == 1
    assert done.stderr == "users go back, or lose their route\n"
    assert repo.impact("old.yaml", "less.yaml").returncode == 0


def test_stages_of_one_file(repo: Repo) -> None:
    repo.write("a.yaml", spec("00"))
    found = repo.told("a.yaml", "a.yaml", "--old-stage", "observe")
    assert moves(found) == [(*FORTH, 0.25, ["00"])]
    found = repo.told("a.yaml", "a.yaml", "--new-stage", "promote-checkout-v2")
    everybody = [item for item in found["moves"] if item["share"]]
    assert moves({"moves": everybody}) == [(*FORTH, 0.75, ["01", "1"])]
    assert (
        repo.told("a.yaml", "a.yaml", "--old-stage", "done", "--new-stage", "observe")["moves"]
        == []
    )
    done = repo.impact("a.yaml", "a.yaml", "--new-stage", "ramp-5")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no stage 'ramp-5'" in done.stderr


# --- What can be lost ---------------------------------------------------------------------------------


def test_a_lost_host(repo: Repo) -> None:
    repo.write("old.yaml", spec("00", hosts="a.example.com, b.example.com"))
    repo.write("new.yaml", spec("00", hosts="b.example.com, c.example.com"))
    found = repo.told("old.yaml", "new.yaml", "--forbid-back", code=1)
    assert found["moves"] == [
        {
            "kind": "host",
            "experiment": "checkout",
            "host": "a.example.com",
            "route": "",
            "from": "routed",
            "to": "unrouted",
            "share": 1,
            "requests": 1,
            "witness": "0000000000",
            "back": False,
            "prefixes": [],
            "request": {
                "method": "GET",
                "scheme": "http",
                "host": "a.example.com",
                "port": 80,
                "path": "/",
                "headers": {},
                "gateway": "istio-system/public",
            },
        }
    ]
    done = repo.impact("old.yaml", "new.yaml", "--max-moved", "50%")
    assert done.returncode == 1
    assert "1 host or path loses its route" in done.stdout


HTTP = """\
    http:
    - {{name: predict, match: [{0}]}}
"""


def test_a_lost_path(repo: Repo) -> None:
    one, two = "{uri: {prefix: /v1}}", "{uri: {exact: /v2}}"
    repo.write("old.yaml", spec("00", http=HTTP.format(f"{one}, {two}")))
    repo.write("new.yaml", spec("00", http=HTTP.format(one)))
    found = repo.told("old.yaml", "new.yaml", "--forbid-back", code=1)
    assert [(item["route"], item["to"], item["share"]) for item in found["moves"]] == [
        ("predict", "unrouted", 1)
    ]
    # Every path of before has a route in a spec that takes all.
    repo.write("new.yaml", spec("00"))
    assert repo.told("old.yaml", "new.yaml")["moves"] == []


def test_an_experiment_that_is_removed(repo: Repo) -> None:
    repo.write("experiments/search.yaml", spec("0", name="search"))
    repo.commit("experiments/checkout.yaml", spec("00"))
    (repo.folder / "experiments" / "search.yaml").unlink()
    found = repo.told("HEAD:experiments", "experiments", "--forbid-back", code=1)
    assert [(item["experiment"], item["host"], item["to"]) for item in found["moves"]] == [
        ("search", "search.example.com", "unrouted")
    ]
    # Moved to another file it is still there.
    repo.write("experiments/other.yaml", spec("0", name="search"))
    assert repo.told("HEAD:experiments", "experiments", "--forbid-back")["moves"] == []


def test_requests_without_a_hash(repo: Repo) -> None:
    repo.write("old.yaml", spec("00", no_hash="checkout-v2"))
    repo.write("new.yaml", spec("00"))
    found = repo.told("old.yaml", "new.yaml", "--forbid-back", code=1)
    [move] = found["moves"]
    assert (move["share"], move["witness"], move["back"]) == (0, "<absent>", True)
    assert found["moved"] == 0
    done = repo.impact("old.yaml", "new.yaml", "--max-moved", "0%")
    assert done.returncode == 0
    assert "no hash   <absent>" in done.stdout
    assert done.stdout.endswith(
        "only requests without a hash move; requests without a hash go back\n"
    )
    assert repo.impact("new.yaml", "old.yaml").stdout.endswith(
        "only requests without a hash move; nobody goes back\n"
    )


def test_more_digits_tell_users_apart_more_finely(repo: Repo) -> None:
    repo.write("old.yaml", spec("0001", digits=4))
    repo.write("new.yaml", spec("00011 000101", digits=12))
    for one, two, way in (("old", "new", BACK), ("new", "old", FORTH)):
        found = repo.told(f"{one}.yaml", f"{two}.yaml")
        assert moves(found) == [(*way, 1 / 64, ["000100"])]
        assert found["moves"][0]["witness"] == "000100000000"


@pytest.mark.parametrize("change", [{"alphabet": "hex"}, {"header": "x-user"}])
def test_another_user_hash_cannot_be_compared(repo: Repo, change: dict[str, str]) -> None:
    repo.write("old.yaml", spec("00"))
    repo.write("new.yaml", spec("00", **change))
    done = repo.impact("old.yaml", "new.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "Error: the user hash of 'checkout' is read differently: header 'userhash'" in done.stderr
    )


# --- Formats ------------------------------------------------------------------------------------------


def test_a_table_for_a_pull_request(repo: Repo) -> None:
    repo.write("old.yaml", spec("00 11", hosts="a.example.com, b.example.com"))
    repo.write("new.yaml", spec("00 011", hosts="b.example.com"))
    done = repo.impact("old.yaml", "new.yaml", "-o", "markdown")
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "**100.0000% of the users move; 25.0000% go back; 1 host or path loses its route**"
    )
    assert lines[1] == ""
    assert lines[2] == "| experiment | route | from | to | moved | witness | prefixes |"
    assert lines[3] == "| --- | --- | --- | --- | --- | --- | --- |"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]
    assert all(len(row) == 7 for row in cells)
    assert cells[0][1:4] == ["`a.example.com`", "`routed`", "`unrouted`"]
    assert cells[1][3:] == ["`checkout-v1 (back)`", "`25.0000%`", "`1100000000`", "`11`"]
    assert cells[2][6] == "`011`"
    assert len(cells) == 3
    assert repo.impact("old.yaml", "old.yaml", "-o", "markdown").stdout == "**nobody moves**\n"


def test_bars_in_an_alphabet_do_not_break_the_table(repo: Repo) -> None:
    repo.write("old.yaml", spec("a|", alphabet="'a|'"))
    repo.write("new.yaml", spec("||", alphabet="'a|'"))
    lines = repo.impact("old.yaml", "new.yaml", "-o", "markdown").stdout.splitlines()
    for line in lines[4:]:
        assert len(re.split(r"(?<!\\)\|", line)) == 9


def test_many_prefixes_are_counted(repo: Repo) -> None:
    repo.write("old.yaml", spec("0000000000"))
    repo.write("new.yaml", spec("00 01001 0101 011 100001 1100110011 111"))
    [_, row, _, _] = repo.impact("old.yaml", "new.yaml").stdout.splitlines()
    assert row.endswith(" and 10 more")
    assert len(repo.told("old.yaml", "new.yaml")["moves"][0]["prefixes"]) == 14


def test_annotations_for_github(repo: Repo) -> None:
    repo.write("old.yaml", spec("00 11", hosts="a.example.com, b.example.com"))
    repo.write("new.yaml", spec("00 011", hosts="b.example.com"))
    lines = repo.impact("old.yaml", "new.yaml", "-o", "github").stdout.splitlines()
    assert lines == [
        "::warning title=checkout::a.example.com: 100.0000%25 routed -> unrouted, for example 0000000000",
        "::warning title=checkout::b.example.com: 25.0000%25 checkout-v2 -> checkout-v1 (back), for example 1100000000",
        "::notice title=checkout::b.example.com: 12.5000%25 checkout-v1 -> checkout-v2, for example 0110000000",
        "100.0000% of the users move; 25.0000% go back; 1 host or path loses its route",
    ]


def test_nothing_is_json_too(repo: Repo) -> None:
    repo.write("a.yaml", spec("00"))
    assert repo.told("a.yaml", "a.yaml") == {
        "apiVersion": "pinroute.dev/cli/v1",
        "kind": "Impact",
        "moved": 0,
        "moves": [],
        "overlaps": [],
        "shares": [],
        "notes": [],
    }


def described(schema: dict[str, Any], path: str) -> list[str]:
    """Return the properties that lack a description or examples."""
    found = []
    for name, inner in schema.get("properties", {}).items():
        if not inner.get("description") or not inner.get("examples"):
            found.append(f"{path}.{name}")
        found += described(inner, f"{path}.{name}")
    return found + (described(schema["items"], f"{path}[]") if "items" in schema else [])


@pytest.mark.parametrize("name", ["impact", "simulation"])
def test_the_schema_describes_every_property(name: str) -> None:
    schema = json.loads((ROOT / "schemas" / "cli" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert described(schema, name) == []
    for inner in (schema, schema["properties"]):
        for example in inner.get("examples", ()):
            jsonschema.validate(example, inner)


# --- Mistakes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["HEAD:a.yaml", "missing.yaml"], "missing.yaml"),
        (["missing.yaml", "a.yaml"], "missing.yaml"),
        (["HEAD:missing.yaml", "a.yaml"], "missing.yaml"),
        (["nothing:a.yaml", "a.yaml"], "nothing"),
        (["HEAD:empty", "a.yaml"], "HEAD:empty holds no .yaml, .yml or .json file"),
        (["empty", "a.yaml"], "the folder holds no .yaml"),
        (["a.yaml"], "name OLD and NEW, or one file with --history"),
        (["--history", "a.yaml", "a.yaml"], "name OLD and NEW, or one file with --history"),
        (["--history", "missing.yaml"], "missing.yaml"),
        (["--history", "empty"], "empty"),
        (["--history", "no/such/folder/a.yaml"], "no/such/folder/a.yaml"),
        (["--history", "a.yaml/b.yaml"], "a.yaml/b.yaml"),
        (["a.yaml", "unread.yaml"], "PIN001"),
        (["a.yaml", "a.yaml", "-o", "sarif"], "sarif"),
        ([], "OLD"),
        (["a.yaml", "a.yaml", "a.yaml"], "name OLD and NEW"),
        (["--since", "HEAD", "--history", "a.yaml"], "name OLD and NEW"),
        (["--since", "HEAD", "missing.yaml"], "missing.yaml is neither here nor in HEAD"),
        (["--since", "nothing", "a.yaml"], "nothing"),
        (["--since", "--all", "a.yaml"], "--all"),
        (["--since", "HEAD", "unread.yaml"], "PIN001"),
        (["--since", "HEAD", "a.yaml", "--old-stage", "ramp-9"], "no stage 'ramp-9'"),
    ],
)
def test_mistakes_are_told_in_a_sentence(repo: Repo, words: list[str], said: str) -> None:
    repo.write("empty/notes.md", "no spec")
    repo.commit("a.yaml", spec("00"))
    repo.write("unread.yaml", "a: [\n")
    done = repo.impact(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_findings_are_told_and_nothing_else(repo: Repo) -> None:
    repo.commit("a.yaml", spec("02"))
    repo.write("a.yaml", spec("00"))
    done = repo.impact("HEAD:a.yaml", "a.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("HEAD:a.yaml:15:56: error[PIN203] ")


def test_outside_of_a_repository(tmp_path: Path) -> None:
    outside = Repo(tmp_path / "outside")
    outside.folder.mkdir()
    outside.write("a.yaml", spec("00"))
    for words in (["HEAD:a.yaml", "a.yaml"], ["--history", "a.yaml"]):
        done = outside.impact(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "not a git repository" in done.stderr
    assert outside.impact("a.yaml", "a.yaml").returncode == 0


def test_a_repository_without_commits(repo: Repo) -> None:
    repo.write("a.yaml", spec("00"))
    for words in (["HEAD:a.yaml", "a.yaml"], ["--history", "a.yaml"]):
        done = repo.impact(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Error: git ")


def test_without_git(repo: Repo) -> None:
    repo.commit("a.yaml", spec("00"))
    done = repo.impact("HEAD:a.yaml", "a.yaml", PATH=str(repo.folder))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: git is not installed; name files or folders\n"
