"""Buckets: which groups are arms, what findings say, how counters are called."""

import re
from typing import Any

import pytest

from pinroute.compilation import Compilation, Compiled, Source, compile_specs
from pinroute.istio.counters import Counters, counters_of
from pinroute.spec.analysis import numbers_of_buckets
from pinroute.spec.model import VersionName
from pinroute.stages.parts import Part
from pinroute.table.buckets import Cut, coverage, cut
from pinroute.table.universe import Universe

Json = dict[str, Any]

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, digits: 10}
  versions:
  - {name: v1, service: {host: app, port: 80}}
  - {name: v2, service: {host: other, port: 80}}
  baseline: v1
  groups:
  - {name: control, version: v1, prefixes: ["00"]}
  - {name: treatment, version: v2, prefixes: ["01"]}
  - {name: third, version: v2, prefixes: ["10"]}
"""


def run(tail: str, text: str = SPEC) -> Compilation:
    return compile_specs([Source("exp.yaml", f"{text}{tail}".encode())], all_stages=True)


def compiled(tail: str, text: str = SPEC) -> Compiled:
    found = run(tail, text)
    assert not found.failed, found.diagnostics
    return found.experiments[0]


def said(tail: str, text: str = SPEC) -> list[tuple[str, str, str]]:
    return [(one.code, one.message, one.hint) for one in run(tail, text).diagnostics]


def bucketed(one: Compiled, stage: str) -> dict[str, int]:
    """Return how many buckets each group has in a stage."""
    http = next(item for item in one.rendered if item.name == stage).virtual_service["spec"][
        "http"
    ]
    found: dict[str, int] = {}
    for rule in http:
        for item in rule.get("match", []):
            match = re.fullmatch(r"pin_.*_g\d+v\d+_(.*)_b\d{3}", item["statPrefix"])
            if match is not None:
                found[match[1]] = found.get(match[1], 0) + 1
    return found


# --- Arms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("analysis", "arms"),
    [
        ("", {"control", "treatment", "third"}),
        ("  analysis: {control: control, treatments: [treatment]}\n", {"control", "treatment"}),
        ("  analysis: {control: third, treatments: [control]}\n", {"control", "third"}),
        ("  analysis: {control: control}\n", {"control", "treatment", "third"}),
        ("  analysis: {treatments: [treatment]}\n", {"control", "treatment", "third"}),
        ("  analysis: {}\n", {"control", "treatment", "third"}),
    ],
)
def test_a_half_that_is_left_out_is_all_others(analysis: str, arms: set[str]) -> None:
    one = compiled(f"  buckets: 32\n{analysis}")
    for stage in ("observe", "experiment"):
        assert bucketed(one, stage) == dict.fromkeys(arms, 8)
    for stage in ("promote-v1", "promote-v2", "done"):
        assert bucketed(one, stage) == {}


def test_without_buckets_nothing_changes_but_names() -> None:
    one = compiled("  analysis: {control: control, treatments: [treatment]}\n")
    assert bucketed(one, "experiment") == {}


# --- Findings -------------------------------------------------------------------------------


def test_enough_buckets_are_no_finding() -> None:
    assert said("  buckets: 32\n") == []
    assert [code for code, _, _ in said("  buckets: 16\n")] == ["PIN263"] * 3


def test_the_remedy_is_true() -> None:
    (_, message, hint), *_ = said("  buckets: 16\n")
    assert message == "group 'control' has 4 whole buckets; below 8 nothing is decided"
    assert hint == (
        "'buckets: 32' gives it 8, 'buckets: 128' gives it 32 (32 are enough); "
        "or give it a share of at least 50 %"
    )
    universe = Universe("01", 10)
    assert [coverage(universe, number, ["00"]).whole for number in (16, 32, 128)] == [4, 8, 32]
    assert coverage(universe, 16, ["0"]).whole == 8


def test_a_universe_may_be_too_small_for_a_remedy() -> None:
    small = SPEC.replace("digits: 10", "digits: 4")
    assert said("  buckets: 4\n", small)[0][2] == "give it a larger share, and more buckets"
    assert said("  buckets: 16\n", small)[0][2] == "give it a share of at least 50 %"


def test_one_bucket_is_one_bucket() -> None:
    assert "has 1 whole bucket;" in said("  buckets: 4\n")[0][1]


def test_findings_of_a_ramp_name_its_rungs() -> None:
    text = SPEC.replace(
        'control, version: v1, prefixes: ["00"]',
        "control, version: v1, ramp: [1, 2, 25], slot: {from: 100, to: 75}",
    )
    found = said("  buckets: 128\n", text)
    (few,) = [message for code, message, _ in found if code == "PIN263"]
    assert few.startswith("group 'control' has 1 whole bucket in ramp-1, 2 in ramp-2; below 8")
    (left,) = [message for code, message, _ in found if code == "PIN264"]
    assert (
        left
        == "20 % in ramp-1, 20 % in ramp-2 of the users of group 'control' are in no whole bucket"
    )


def test_users_beside_buckets_are_told() -> None:
    text = SPEC.replace('["01"]', '["01", "110000", "1100010"]')
    (found,) = [one for one in said("  buckets: 32\n", text) if one[0] == "PIN264"]
    assert found[1] == "8.571 % of the users of group 'treatment' are in no whole bucket"
    assert found[2].endswith("multiple of 3.125 %, or prefixes of at most 5 characters")


@pytest.mark.parametrize(
    ("name", "fine"),
    [("a-b017", False), ("a-b12345", False), ("b017", True), ("a-b17", True), ("a-b123456", True)],
)
def test_names_that_read_as_buckets(name: str, fine: bool) -> None:
    text = SPEC.replace("name: third", f"name: {name}")
    codes = [code for code, _, _ in said("  buckets: 128\n", text)]
    assert codes == ([] if fine else ["PIN265"])
    assert said("", text) == []


def test_minimal_rules_are_called_after_versions() -> None:
    text = SPEC.replace("v2", "v-b002")
    assert "PIN265" not in [code for code, _, _ in said("  buckets: 32\n", text)]
    tail = "  buckets: 32\n  output: {rules: minimal}\n"
    assert "PIN265" in [code for code, _, _ in said(tail, text)]


def test_buckets_of_no_group() -> None:
    text = SPEC[: SPEC.index("  groups:")]
    assert [code for code, _, _ in said("  buckets: 32\n", text)] == ["PIN265"]


@pytest.mark.parametrize("rules", ["per-group", "minimal"])
def test_many_match_items_are_put_down_to_buckets(rules: str) -> None:
    found = said(f"  buckets: 512\n  output: {{rules: {rules}}}\n")
    (hint,) = {hint for code, _, hint in found if code == "PIN236"}
    assert hint == "384 match items are buckets: try 'buckets: 256'"


def test_far_too_many_buckets_are_refused() -> None:
    text = SPEC.replace("digits: 10", "digits: 16")
    found = [one for one in said("  buckets: 65536\n", text) if one[0] in ("PIN237", "PIN238")]
    assert {(code, hint) for code, _, hint in found} == {
        ("PIN238", "49,152 match items are buckets: try 'buckets: 32768'")
    }


# --- Names ----------------------------------------------------------------------------------


def test_the_name_of_a_counter() -> None:
    counters = Counters("1dfc2ea5", 3, {VersionName("v1"): 1, VersionName("x"): 2}, 3)
    assert (
        counters.stat_prefix("group-1", VersionName("x"), 17) == "pin_1dfc2ea5_g3v2_group_1_b017"
    )
    assert counters.stat_prefix("no-hash", VersionName("v1")) == "pin_1dfc2ea5_g3v1_no_hash"
    assert counters.is_bucket("pin_1dfc2ea5_g3v2_group_1_b017")
    for other in (
        "pin_1dfc2ea5_g3v2_g",
        "pin_1dfc2ea5_g3v2_g_b17",
        "pin_00000000_g3v2_g_b017",
        "",
    ):
        assert not counters.is_bucket(other)


@pytest.mark.parametrize(("buckets", "width"), [(2, 3), (1024, 4), (16384, 5), (None, 3)])
def test_numbers_are_as_wide_as_the_last_one(buckets: int | None, width: int) -> None:
    experiment = compiled("").checked.spec.experiment._replace(buckets=buckets)
    assert counters_of(experiment).width == width


def test_numbers_of_buckets() -> None:
    assert numbers_of_buckets("01", 4) == [2, 4, 8, 16]
    assert numbers_of_buckets("0123456789abcdef", 40) == [16, 256, 4096, 65536]
    assert numbers_of_buckets("0123456789", 5) == [10, 100, 1000, 10000]


# --- Blocks ---------------------------------------------------------------------------------


def test_a_bucket_in_pieces_is_whole() -> None:
    """Its pieces share a counter: together they take what they took, malformed values too."""
    universe = Universe("01", 10)
    found = cut(universe, 8, ["10", "0111", "0110", "00011", "0110"])
    assert found == Cut({3: ("0110", "0111"), 4: ("100",), 5: ("101",)}, ("00011",), ("10",))
    text = SPEC.replace('["10"]', '["1010", "1011", "11"]')
    one = compiled("  buckets: 8\n", text)
    (table,) = one.stages[1].tables.values()
    parts = [leaf.attribution for leaf in table.leaves if isinstance(leaf.attribution, Part)]
    (pieces,) = [part for part in parts if part.bucket == 5]
    assert [values.prefix for values in pieces.values] == ["1010", "1011"]
    strict = text.replace("digits: 10", "digits: 10, strict: true")
    (table,) = compiled("  buckets: 8\n", strict).stages[1].tables.values()
    parts = [leaf.attribution for leaf in table.leaves if isinstance(leaf.attribution, Part)]
    (whole,) = [part for part in parts if part.bucket == 5]
    assert [values.prefix for values in whole.values] == ["101"]


def test_buckets_keep_their_users_under_a_rotation() -> None:
    """A bucket's number is its place among the hashes that come in."""
    text = SPEC.replace('prefixes: ["00"]', "percent: 25, slot: {from: 0, to: 25}")
    text = text[: text.index("  - {name: treatment")] + "  buckets: 32\n"
    for tail in ("", "  rotation: {key: one}\n", "  rotation: {key: three}\n"):
        (table,) = compiled(tail, text).stages[0].tables.values()
        parts = [leaf.attribution for leaf in table.leaves if isinstance(leaf.attribution, Part)]
        found = {part.bucket: part.values[0].prefix for part in parts if part.bucket is not None}
        assert len(found) == 8
        assert all(int(prefix, 2) == bucket for bucket, prefix in found.items())
