"""Buckets change what is counted, and nothing else: random specs, read naively.

A value is sent through the emitted rules by a reader that knows nothing but "the first
match item that takes it wins". Which buckets a group owns is found by listing all user
hashes, one by one.
"""

import json
import re
from itertools import pairwise, product
from typing import Any, NamedTuple

from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.lookup import look_up
from pinroute.table.buckets import coverage, cut
from pinroute.table.minimise import minimise
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe

Json = dict[str, Any]

ALPHABETS = {"binary": ("01", 6), "abc": ("abc", 4), "hex": ("0123456789abcdef", 2)}
HEADER = "userhash"
STAT = re.compile(r"pin_[0-9a-f]{8}_g([0-9]+)v([0-9]+)_([a-z0-9_]+?)(?:_b([0-9]{3,5}))?")


class Case(NamedTuple):
    body: Json

    @property
    def spec(self) -> Json:
        spec: Json = self.body["spec"]
        return spec

    @property
    def alphabet(self) -> str:
        return ALPHABETS[self.spec["userHash"]["alphabet"]][0]

    @property
    def digits(self) -> int:
        return int(self.spec["userHash"]["digits"])

    @property
    def arms(self) -> list[str]:
        """Both halves of `analysis` named: these; else every group."""
        named = self.spec.get("analysis", {})
        names = [group["name"] for group in self.spec["groups"]]
        if "control" in named and named.get("treatments"):
            return [one for one in names if one in (named["control"], *named["treatments"])]
        return names

    def hashes(self) -> list[str]:
        return ["".join(chars) for chars in product(self.alphabet, repeat=self.digits)]

    def values(self) -> list[str | None]:
        """Every user hash, none, and values that are none."""
        hashes = self.hashes()
        some = hashes[:: max(1, len(hashes) // 9)]
        odd = ["", "~", *(one[:length] for one in some for length in range(1, self.digits))]
        odd += [one + char for one in some for char in (self.alphabet[0], "~")]
        odd += [one[:length] + "~" for one in some for length in range(self.digits)]
        return [None, *hashes, *dict.fromkeys(odd)]

    def without_buckets(self) -> "Case":
        spec = {key: item for key, item in self.spec.items() if key != "buckets"}
        return Case({**self.body, "spec": spec})

    def block_of(self, bucket: int) -> list[str]:
        hashes = self.hashes()
        size = len(hashes) // int(self.spec["buckets"])
        return hashes[bucket * size : (bucket + 1) * size]


@st.composite
def listed(draw: st.DrawFn, alphabet: str, digits: int, groups: int) -> list[list[str]]:
    """Disjoint prefixes for each group: the universe, split a few times and dealt out."""
    blocks = [""]
    for _ in range(draw(st.integers(1, 8 if len(alphabet) < 10 else 2))):
        divisible = [block for block in blocks if len(block) < digits]
        if not divisible:
            break
        block = draw(st.sampled_from(divisible))
        blocks.remove(block)
        blocks += [block + char for char in alphabet]
    owners = draw(
        st.lists(st.integers(-1, groups - 1), min_size=len(blocks), max_size=len(blocks))
    )
    return [
        [block for block, owner in zip(blocks, owners, strict=True) if owner == number and block]
        for number in range(groups)
    ]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    alphabet = draw(st.sampled_from(list(ALPHABETS)))
    characters, digits = ALPHABETS[alphabet]
    versions = ["v1", "v2", "v3"][: draw(st.integers(2, 3))]
    names = draw(
        st.lists(
            st.sampled_from(["a", "b-1", "b-12", "red", "v2"]), min_size=1, max_size=3, unique=True
        )
    )
    by_share = draw(st.booleans())
    groups: list[Json] = []
    prefixes = draw(listed(characters, digits, len(names)))
    for number, name in enumerate(names):
        group: Json = {"name": name, "version": draw(st.sampled_from(versions))}
        if by_share:
            rungs = sorted(draw(st.sets(st.sampled_from([1, 3, 12.5, 20, 30, 33]), min_size=1)))
            width = 100 // len(names)
            group["ramp"] = [rung for rung in rungs if rung < width - 2] or [1]
            ends = [number * width, (number + 1) * width]
            group["slot"] = dict(zip(["from", "to"], draw(st.permutations(ends)), strict=True))
        elif prefixes[number]:
            group["prefixes"] = prefixes[number]
        else:
            continue
        groups.append(group)
    assume(groups)
    strict = draw(st.booleans())
    fallback: Json = {
        field: draw(st.sampled_from(versions))
        for field in ("unassigned", "noHash", *(["malformed"] if strict else []))
    }
    spec: Json = {
        "route": {"hosts": ["a.com"], "gateways": ["a/b"]},
        "userHash": {
            "from": {"header": HEADER},
            "alphabet": alphabet,
            "digits": digits,
            "strict": strict,
        },
        "versions": [
            {"name": name, "service": {"host": f"app-{name}", "port": 80}} for name in versions
        ],
        "baseline": draw(st.sampled_from(versions)),
        "groups": groups,
        "fallback": fallback,
        "buckets": len(characters) ** draw(st.integers(1, digits)),
        "generation": draw(st.integers(1, 12)),
        "output": {"rules": draw(st.sampled_from(["per-group", "per-group", "minimal"]))},
    }
    if draw(st.booleans()):
        spec["route"]["http"] = [
            {"name": "x", "match": [{"uri": {"prefix": "/x"}}]},
            {"name": "y"},
        ]
    if by_share and draw(st.booleans()):
        spec["rotation"] = {"key": draw(st.sampled_from(["one", "two", "three"]))}
    if len(groups) > 1 and draw(st.booleans()):
        spec["analysis"] = {
            "control": groups[0]["name"],
            "treatments": [groups[1]["name"]],
        }
    body = {
        "apiVersion": "pinroute.dev/v1alpha1",
        "kind": "AffinityExperiment",
        "metadata": {"name": "exp"},
        "spec": spec,
    }
    return Case(body)


def compiled(case: Case) -> Compiled:
    source = Source("exp.yaml", json.dumps(case.body).encode())
    result = compile_specs([source], all_stages=True)
    assert not result.failed, result.diagnostics
    return result.experiments[0]


def rules_by_stage(case: Case) -> dict[str, list[Json]]:
    return {stage.name: stage.virtual_service["spec"]["http"] for stage in compiled(case).rendered}


def holds(match: Json, value: str | None) -> bool:
    if value is None:
        return False
    if "prefix" in match:
        return value.startswith(match["prefix"])
    if "exact" in match:
        return bool(value == match["exact"])
    return re.fullmatch(match["regex"], value) is not None if match else True


def taken(http: list[Json], value: str | None, path: str = "/") -> tuple[Json, Json]:
    """Return the first rule that takes a value, and its item."""
    for rule in http:
        for item in rule.get("match", [{}]):
            right = path.startswith(item.get("uri", {}).get("prefix", ""))
            match = item.get("headers", {}).get(HEADER)
            if right and (match is None or holds(match, value)):
                return rule, item
    raise AssertionError("a request that no rule takes")


def does(rule: Json) -> Json:
    return {name: found for name, found in rule.items() if name not in ("name", "match")}


def counter(item: Json) -> re.Match[str]:
    found = STAT.fullmatch(item["statPrefix"])
    assert found is not None, item
    return found


GROUPED = re.compile(r"observe|experiment|ramp-.*")
FIRST_PHASE = re.compile(r"promote-v(\d+)-phase-1")


def is_grouped(case: Case, stage: str) -> bool:
    """Tell whether the groups are routed: also while a winner is scaled, before it takes over."""
    first = FIRST_PHASE.fullmatch(stage)
    if first is None:
        return GROUPED.fullmatch(stage) is not None
    winner = case.spec["versions"][int(first[1]) - 1]["name"]
    return bool(winner != case.spec["baseline"])


@given(cases())
@settings(max_examples=settings().max_examples * 2)
def test_buckets_change_no_outcome(case: Case) -> None:
    note(json.dumps(case.body))
    loose = case.spec["output"]["rules"] == "minimal" and not case.spec["userHash"]["strict"]
    values = [None, *case.hashes()] if loose else case.values()
    without = rules_by_stage(case.without_buckets())
    for stage, http in rules_by_stage(case).items():
        for value in values:
            assert does(taken(http, value)[0]) == does(taken(without[stage], value)[0]), (
                stage,
                value,
            )


def owned(case: Case, without: list[Json], group: str) -> set[str]:
    """Return the user hashes of a group, as the rules without buckets say."""
    name = group.replace("-", "_")
    return {value for value in case.hashes() if counter(taken(without, value)[1])[3] == name}


@given(cases())
@settings(max_examples=settings().max_examples * 2)
def test_every_whole_bucket_of_an_arm_has_a_counter_of_its_own(case: Case) -> None:
    note(json.dumps(case.body))
    strict = case.spec["userHash"]["strict"]
    plain = case.without_buckets()
    plain.spec["output"] = {"rules": "per-group"}
    without = rules_by_stage(plain)
    paths = ["/x", "/"] if "http" in case.spec["route"] else ["/"]
    for stage, http in rules_by_stage(case).items():
        found: dict[tuple[str, str], list[str]] = {}
        for rule in http:
            for item in rule.get("match", []):
                parts = counter(item)
                if parts[4] is not None:
                    uri = item.get("uri", {}).get("prefix", "/")
                    found.setdefault((parts[3], parts[4]), []).append(uri)
        wanted: set[tuple[str, str]] = set()
        for arm in case.arms if is_grouped(case, stage) else []:
            users = owned(case, without[stage], arm)
            listed = next(one for one in case.spec["groups"] if one["name"] == arm)
            for bucket in range(case.spec["buckets"]):
                block = case.block_of(bucket)
                if not users.issuperset(block):
                    continue
                place = arm.replace("-", "_"), f"{bucket:03d}"
                wanted.add(place)
                start = common_start(block)
                finer = [one for one in listed.get("prefixes", []) if one.startswith(start)]
                # Pieces of a bucket may take fewer malformed values than the bucket would.
                exact = case.spec["output"]["rules"] == "per-group" and not strict
                pieces = finer if exact else []
                assert sorted(found[place]) == sorted(paths * max(1, len(pieces)))
                for path in paths:
                    items = [taken(http, value, path)[1] for value in block]
                    assert {item["statPrefix"] for item in items} == {items[0]["statPrefix"]}
                    assert (counter(items[0])[3], counter(items[0])[4]) == place
        assert found.keys() == wanted
        for value in case.hashes():
            parts = counter(taken(http, value)[1])
            if parts[4] is not None:
                assert value in case.block_of(int(parts[4]))


def common_start(block: list[str]) -> str:
    """Return the prefix that all hashes of a block share."""
    first, last = block[0], block[-1]
    length = next((at for at in range(len(first)) if first[at] != last[at]), len(first))
    return first[:length]


@given(cases())
@settings(max_examples=settings().max_examples * 2)
def test_one_counter_never_counts_two_versions(case: Case) -> None:
    """Over all stages, in whatever order; and a bucket that keeps its version is counted on."""
    note(json.dumps(case.body))
    versions: dict[str, set[str]] = {}
    by_hash: dict[str, list[tuple[str, str, str]]] = {}
    for stage, http in rules_by_stage(case).items():
        for rule in http:
            (route,) = rule["route"]
            for item in rule.get("match", []):
                version = route["headers"]["response"]["set"]["version"]
                versions.setdefault(item["statPrefix"], set()).add(version)
        if is_grouped(case, stage):
            for value in case.hashes():
                rule, item = taken(http, value)
                parts = counter(item)
                if parts[4] is not None:
                    version = rule["route"][0]["headers"]["response"]["set"]["version"]
                    bucket = f"{parts[3]} {parts[4]}"
                    by_hash.setdefault(value, []).append((bucket, version, item["statPrefix"]))
    assert {prefix: found for prefix, found in versions.items() if len(found) > 1} == {}
    for states in by_hash.values():
        for before, after in pairwise(states):
            assert (before[2] == after[2]) == (before[:2] == after[:2])


@given(cases())
def test_minimal_rules_with_buckets_are_as_few_as_can_be(case: Case) -> None:
    """As few as ORTC needs where each bucket is an outcome of its own."""
    spec = {**case.spec, "output": {"rules": "minimal"}}
    spec["userHash"] = {**spec["userHash"], "strict": False}
    spec["fallback"] = {
        key: item for key, item in spec.get("fallback", {}).items() if key != "malformed"
    }
    spec["route"] = {key: item for key, item in spec["route"].items() if key != "http"}
    case = Case({**case.body, "spec": spec})
    note(json.dumps(case.body))
    for stage in compiled(case).stages:
        (table,) = stage.tables.values()
        apart = [
            Leaf((leaf.outcome, getattr(leaf.attribution, "bucket", None)), leaf.attribution)
            for leaf in table.leaves
        ]
        fewest = minimise(Table(table.universe, tuple(apart), table.absent, table.root))
        assert len(stage.routes.items) == len(fewest) + 1


@given(cases())
def test_lookup_says_what_is_counted(case: Case) -> None:
    assume(case.spec["output"]["rules"] == "per-group")
    one = compiled(case)
    stage = next(one for one in one.stages if one.name == "experiment")
    http = next(one for one in one.rendered if one.name == "experiment").virtual_service
    live = one._replace(stages=(stage,))
    for value in case.values():
        for answer in look_up(live, value):
            path = "/x" if answer.route == "x" else "/"
            parts = counter(taken(http["spec"]["http"], value, path)[1])
            assert (None if parts[4] is None else int(parts[4])) == answer.bucket
            if answer.bucket is not None:
                assert parts[3] == answer.group.replace("-", "_")


@given(st.data())
def test_what_is_counted_is_what_is_cut(data: st.DataObject) -> None:
    characters, digits = data.draw(st.sampled_from(list(ALPHABETS.values())))
    universe = Universe(characters, digits)
    (prefixes,) = data.draw(listed(characters, digits, 1))
    extra = data.draw(st.lists(st.sampled_from(prefixes), max_size=2)) if prefixes else []
    inside = [one + characters[0] for one in extra if len(one) < digits]
    buckets = len(characters) ** data.draw(st.integers(1, digits))
    found = cut(universe, buckets, [*prefixes, *extra, *inside])
    told = coverage(universe, buckets, [*prefixes, *extra, *inside])
    users = {one for one in universe.values() if one.startswith(tuple(prefixes) or "~")}
    size = universe.size // buckets
    blocks = [universe.values()[at * size : (at + 1) * size] for at in range(buckets)]
    whole = [number for number, block in enumerate(blocks) if users.issuperset(block)]
    assert list(found.whole) == whole
    assert told.whole == len(whole)
    assert told.size == len(users)
    assert told.left == len(users) - size * len(whole)
    left = {one for one in users if one.startswith(tuple(found.left) or "~")}
    assert len(left) == told.left
