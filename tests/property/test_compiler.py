"""The whole compiler: what a spec promises is what its VirtualService says, read naively.

A random spec is compiled in every stage. Every user hash, and values that are none, are
then sent through the emitted dictionary by a reader that knows nothing but "the first
rule that matches wins"; what they get has to be what the groups promise.
"""

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import yaml
from hypothesis import given, note, settings
from hypothesis import strategies as st

from pinroute.compilation import Compilation, Compiled, Source, compile_specs

Json = dict[str, Any]

ALPHABETS = {
    "binary": ("01", 6),
    "decimal": ("0123456789", 2),
    "hex": ("0123456789abcdef", 2),
    "abc": ("abc", 3),
    "Zz": ("Zz", 4),
    "]^\\-": ("-\\]^", 2),  # everything that is special in a class of a regular expression
    ".*|x": ("*.x|", 2),
}


class Case(NamedTuple):
    """A valid spec, as data."""

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
    def strict(self) -> bool:
        return bool(self.spec["userHash"].get("strict", False))

    @property
    def versions(self) -> list[Json]:
        versions: list[Json] = self.spec["versions"]
        return versions

    def hashes(self) -> list[str]:
        return ["".join(chars) for chars in product(self.alphabet, repeat=self.digits)]

    def malformed(self) -> list[str]:
        some = self.hashes()[:: max(1, len(self.hashes()) // 7)]
        short = [value[:-1] for value in some] + ([self.alphabet[0]] if self.digits > 1 else [])
        long = [value + char for value in some for char in (self.alphabet[0], "~")]
        foreign = [value[:-1] + "~" for value in some] + ["~" + value[1:] for value in some]
        odd = ["x y", "é", some[0] + "," + some[-1]]
        # A header with an empty value is a header; for a claim the rules say `.+`.
        if "header" in self.spec["userHash"]["from"]:
            odd += ["", some[0] + "\n"]
        known = set(self.hashes())
        return [
            value
            for value in dict.fromkeys([*short, *long, *foreign, *odd])
            if value not in known and (value or "" in odd)
        ]

    def with_rules(self, rules: str) -> "Case":
        output = {**self.spec.get("output", {}), "rules": rules}
        return Case({**self.body, "spec": {**self.spec, "output": output}})


# Random specs.

NAMES = ["red", "red-2", "red-3", "green", "fallback", "no-hash", "malformed", "unassigned"]
HEADER_OPS: list[Json] = [
    {},
    {"request": {"set": {"x-model": "m"}}},
    {"request": {"add": {"X-Try": "100%%"}, "remove": ["x-debug"]}},
    {"response": {"add": {"x-served": "é"}, "remove": ["server"]}},
    {"response": {"add": {"vary": "accept"}}},
    {"response": {"set": {"Vary": "*"}}},
]


@st.composite
def blocks(draw: st.DrawFn, alphabet: str, digits: int) -> list[str]:
    """Disjoint prefixes: the universe, split a few times."""
    found = [""]
    for _ in range(draw(st.integers(1, 6 if len(alphabet) < 10 else 2))):
        divisible = [block for block in found if len(block) < digits]
        if not divisible:
            break
        block = draw(st.sampled_from(divisible))
        found.remove(block)
        found += [block + char for char in alphabet]
    return draw(st.permutations([block for block in found if block]))


@st.composite
def backends(draw: st.DrawFn, platform: str, number: int) -> Json:
    if platform != "service":
        inference: Json = {"name": f"model-{number}", "predictor": {"sklearn": {"uri": number}}}
        if draw(st.booleans()):
            inference["namespace"] = f"ns-{number}"
        if draw(st.booleans()):
            inference["transformer"] = {"containers": [{"name": "t"}]}
        if draw(st.integers(0, 5)) == 0:
            inference["service"] = f"own-name-{number}"
        return {"inferenceService": inference}
    service: Json = {"host": draw(st.sampled_from([f"app-{number}", f"App-{number}.Shop.local"]))}
    if draw(st.booleans()):
        service["port"] = draw(st.sampled_from([80, 9080, 65535]))
    if draw(st.booleans()):
        service["subset"] = f"s{number}"
        service["labels"] = {"version": str(number), "on": "y"}
    found: Json = {"service": service}
    if draw(st.integers(0, 3)) == 0:
        found["rewrite"] = draw(
            st.sampled_from(
                [
                    {"uri": "/new"},
                    {"uriRegexRewrite": {"match": "^/(.*)$", "rewrite": "/\\1"}},
                    {"authority": f"app-{number}.example.com"},
                ]
            )
        )
    return found


HTTP: list[Json] = [
    {
        "name": "health",
        "raw": {
            "match": [{"uri": {"exact": "/healthz"}}, {"uri": {"regex": "/status/[0-9]+"}}],
            "directResponse": {"status": 200, "body": {"string": "ok"}},
        },
    },
    {
        "name": "predict",
        "match": [
            {"uri": {"prefix": "/v1/"}, "method": {"exact": "POST"}},
            {"uri": {"exact": "/v2"}, "headers": {"x-beta": {"regex": "on|yes"}}},
        ],
        "timeout": "1m30s",
        "retries": {"attempts": 2, "perTryTimeout": "250ms", "retryOn": "5xx"},
    },
    {
        "name": "beta",
        "match": [{"headers": {"x-beta": {}}, "withoutHeaders": {"x-old": {"prefix": "y"}}}],
    },
    {
        "name": "raw-v2",
        "raw": {
            "match": [{"uri": {"prefix": "/v2"}}],
            "route": [{"destination": {"host": "old.default.svc.cluster.local"}}],
            "timeout": "5s",
        },
    },
]
LAST: list[Json] = [
    {"name": "rest", "raw": {"route": [{"destination": {"host": "web.default.svc.local"}}]}},
    {"name": "everything", "timeout": "10s"},
    {"name": "any", "match": [{}]},
]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    alphabet = draw(st.sampled_from(list(ALPHABETS)))
    characters, most = ALPHABETS[alphabet]
    digits = draw(st.integers(1, most))
    strict = draw(st.booleans())
    kind = draw(st.sampled_from(["header", "header", "claim"]))
    source = {kind: draw(st.sampled_from(["userhash", "X-User-Hash"]))}
    user_hash: Json = {"from": source, "alphabet": alphabet, "digits": digits, "strict": strict}
    platform = draw(st.sampled_from(["service", "service", "knative", "old", "standard", "kfs"]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):  # v1 has to be the first, v2 the second
        names[-1] = f"v{len(names)}"
    versions = []
    for number, name in enumerate(names):
        version = {"name": name, **draw(backends(platform, number))}
        headers = draw(st.sampled_from(HEADER_OPS))
        versions.append({**version, "headers": headers} if headers else version)
    version_names = st.sampled_from(names)
    groups: dict[str, Json] = {}
    group_names = ["a", "b", "a-b", "control", "x" * 63]
    for block in draw(blocks(characters, digits)):
        name = draw(st.sampled_from([*group_names, ""]))
        if name:
            start: Json = {"name": name, "version": draw(version_names), "prefixes": []}
            groups.setdefault(name, start)["prefixes"].append(block)
    spec: Json = {
        "route": {"hosts": ["Shop.Example.com", "*.shop.example.com"]},
        "userHash": user_hash,
        "versions": versions,
        "baseline": draw(version_names),
    }
    empty = draw(st.booleans())
    if groups or empty:
        spec["groups"] = list(groups.values())
    if kind == "claim" or draw(st.booleans()):
        spec["route"]["gateways"] = ["istio-system/public"]
    if draw(st.booleans()):
        spec["route"]["virtualService"] = {"name": "shop", "namespace": "edge"}
    http = [entry for entry in HTTP if draw(st.integers(0, 3)) == 0]
    http += draw(st.sampled_from([[], *([entry] for entry in LAST)]))
    if any("raw" not in entry for entry in http):
        spec["route"]["http"] = http
    environments: dict[str, Json] = {
        "service": {},
        "knative": {"kserve": {"version": "0.16"}},
        "old": {"kserve": {"version": "0.10.2"}, "clusterDomain": "my.cluster"},
        "standard": {"kserve": {"version": "0.15", "mode": "RawDeployment"}},
        "kfs": {"kfserving": {"version": "0.6"}},
    }
    if environments[platform]:
        spec["environment"] = environments[platform]
    fallback = {
        field: draw(version_names)
        for field in ("unassigned", "noHash", "malformed")
        if draw(st.booleans()) and (strict or field != "malformed")
    }
    if fallback:
        spec["fallback"] = fallback
    numbers = [f"promote-v{number}" for number, _ in enumerate(names, 1)]
    spec["stage"] = draw(
        st.sampled_from(["observe", "experiment", "experiment", "done", *numbers])
    )
    if draw(st.booleans()):
        spec["promotion"] = {"strategy": "swap"}
    switches = ("ruleNames", "statPrefixes", "labels", "ports", "vary")
    output: Json = {switch: False for switch in switches if draw(st.integers(0, 2)) == 0}
    output["rules"] = draw(st.sampled_from(["per-group", "minimal"]))
    output["versionHeader"] = draw(st.sampled_from(["version", "x-version", ""]))
    spec["output"] = output
    metadata = {"name": "shop-search"}
    if draw(st.booleans()):
        metadata["namespace"] = "shop"
    head = {"apiVersion": "pinroute.dev/v1alpha1", "kind": "AffinityExperiment"}
    return Case({**head, "metadata": metadata, "spec": spec})


def compiled(case: Case) -> Compiled:
    result: Compilation = compile_specs(
        [Source("folder/shop.yaml", json.dumps(case.body).encode())], all_stages=True
    )
    assert [item for item in result.diagnostics if item.severity.value == "error"] == []
    (experiment,) = result.experiments
    return experiment


# What a spec promises, in its own words.


class Request(NamedTuple):
    """A request as far as the specs here look at it."""

    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()


REQUESTS = (
    Request(),
    Request("/healthz", "GET"),
    Request("/status/7"),
    Request("/status/7x"),
    Request("/v1/x", "POST"),
    Request("/v1/x"),
    Request("/v2", headers=(("x-beta", "yes"),)),
    Request("/v2", headers=(("x-beta", "yesterday"),)),
    Request("/v2", headers=(("x-beta", ""), ("x-old", "yes"))),
    Request("/v2", headers=(("x-beta", ""), ("x-old", "no"))),
)


def holds(match: Json, value: str | None) -> bool:
    """One StringMatch on a header; an empty one asks for presence alone."""
    if value is None:
        return False
    if not match:
        return True
    ((kind, text),) = match.items()
    if kind == "exact":
        return value == str(text)
    if kind == "prefix":
        return value.startswith(text)
    assert kind == "regex"
    return re.fullmatch(text, value) is not None


def satisfies(item: Json, request: Request, extra: Json) -> bool:
    """One match item: each of its fields has to hold. `extra` are header values by name."""
    headers = {**dict(request.headers), **extra}
    for field, match in item.items():
        if field == "uri":
            good = holds(match, request.path)
        elif field == "method":
            good = holds(match, request.method)
        elif field == "headers":
            good = all(holds(match[name], headers.get(name.lower())) for name in match)
        elif field == "withoutHeaders":
            good = not any(holds(match[name], headers.get(name, "")) for name in match)
        else:
            assert field == "statPrefix", field
            assert re.fullmatch(r"[a-z0-9_]+", match)
            good = True
        if not good:
            return False
    return True


def winner_of(case: Case, stage: str) -> tuple[str, int] | None:
    """Whom everybody meets in a stage of a promotion, and in which phase (9 after the last)."""
    found = re.fullmatch(r"promote-v(\d)(?:-phase-(\d))?", stage)
    if found is None:
        return None
    winner: str = case.versions[int(found[1]) - 1]["name"]
    phase = int(found[2] or 9)
    if phase == 1 and winner != case.spec["baseline"]:
        return None  # as in the experiment: only the candidate grows
    return winner, phase


def version_for(case: Case, stage: str, value: str | None) -> str:
    """The version that a spec promises to a user."""
    spec = case.spec
    baseline: str = spec["baseline"]
    winner = winner_of(case, stage)
    if winner is not None:
        return winner[0]
    if stage in ("observe", "done"):
        return baseline
    fallback = spec.get("fallback", {})
    no_hash: str = fallback.get("noHash", baseline)
    if value is None:
        return no_hash
    sound = len(value) == case.digits and all(char in case.alphabet for char in value)
    if case.strict and not sound:
        malformed: str = fallback.get("malformed", no_hash)
        return malformed
    for group in spec.get("groups", []):
        if any(value.startswith(prefix) for prefix in group["prefixes"]):
            version: str = group["version"]
            return version
    unassigned: str = fallback.get("unassigned", baseline)
    return unassigned


def place_of(case: Case, version: Json) -> tuple[Json, str | None]:
    """The destination of a version, and the Host header that it needs."""
    spec, body = case.spec, case.body
    own = body["metadata"].get("namespace", "default")
    environment = spec.get("environment", {})
    domain = environment.get("clusterDomain", "cluster.local")
    ports = spec["output"].get("ports", True)
    if "service" in version:
        service = version["service"]
        host = service["host"].lower()
        if "." not in host:
            namespace = spec["route"].get("virtualService", {}).get("namespace", own)
            host += f".{namespace}.svc.{domain}"
        found = {"host": host}
        if "subset" in service:
            found["subset"] = service["subset"]
        if "port" in service and ports:
            found["port"] = {"number": service["port"]}
        return found, None
    inference = version["inferenceService"]
    component = "transformer" if "transformer" in inference else "predictor"
    old = "kfserving" in environment or environment["kserve"]["version"] == "0.10.2"
    name = inference.get("service", f"{inference['name']}-{component}{'-default' if old else ''}")
    namespace = inference.get("namespace", own)
    full = f"{name}.{namespace}.svc.{domain}"
    port = {"port": {"number": 80}} if ports else {}
    if "kfserving" in environment:
        return {"host": full, **port}, f"{name}.{namespace}"
    if environment["kserve"].get("mode") == "RawDeployment":
        return {"host": full, **port}, None
    return {"host": f"knative-local-gateway.istio-system.svc.{domain}", **port}, full


def promised(case: Case, stage: str, entry: Json, value: str | None) -> Json:
    """What a request that takes part gets: the fields of a rule, without name and match."""
    spec = case.spec
    version = next(v for v in case.versions if v["name"] == version_for(case, stage, value))
    winner = winner_of(case, stage)
    copied = (
        winner is not None
        and winner[1] > 3
        and "promotion" not in spec
        and all("inferenceService" in item for item in case.versions)
    )
    place = version
    if copied:  # name and namespace are the baseline's, what answers there is the winner's
        place = next(item for item in case.versions if item["name"] == spec["baseline"])
        there: Json = {
            key: item for key, item in place["inferenceService"].items() if key != "transformer"
        }
        if "transformer" in version["inferenceService"]:
            there["transformer"] = version["inferenceService"]["transformer"]
        place = {**place, "inferenceService": there}
    destination, host = place_of(case, place)
    given_: Json = version.get("headers", {})
    request = {name: dict_or_list(ops) for name, ops in given_.get("request", {}).items()}
    response = {name: dict_or_list(ops) for name, ops in given_.get("response", {}).items()}
    if host is not None:
        request["set"] = {"Host": host, **request.get("set", {})}
    named = spec["output"]["versionHeader"]
    if named:
        response["set"] = {named: version["name"], **response.get("set", {})}
    own = json.dumps(given_.get("response", {})).lower()
    if spec["output"].get("vary", True) and '"vary"' not in own:
        source = spec["userHash"]["from"]
        varies = source["header"].lower() if "header" in source else "authorization"
        response["add"] = {**response.get("add", {}), "vary": varies}
    route: Json = {"destination": destination}
    headers = {name: ops for name, ops in (("request", request), ("response", response)) if ops}
    if headers:
        route["headers"] = headers
    found: Json = {"route": [route]}
    if "rewrite" in place:
        found["rewrite"] = place["rewrite"]
    for field in ("timeout", "retries"):
        if field in entry:
            found[field] = entry[field]
    return found


def dict_or_list(ops: Any) -> Any:
    return dict(ops) if isinstance(ops, dict) else list(ops)


def expected(case: Case, stage: str, request: Request, value: str | None) -> Json | None:
    """What a spec promises to a request, None where no entry of `route.http` takes it."""
    for entry in case.spec["route"].get("http", [{"name": ""}]):
        raw = entry.get("raw")
        matches = (raw if raw is not None else entry).get("match", [{}])
        if any(satisfies(item, request, {}) for item in matches):
            if raw is None:
                return promised(case, stage, entry, value)
            return {name: item for name, item in raw.items() if name != "match"}
    return None


# What a VirtualService does.


def routed(case: Case, http: list[Json], request: Request, value: str | None) -> Json | None:
    """The fields of the first rule that takes a request."""
    source = case.spec["userHash"]["from"]
    key = source["header"] if "header" in source else f"@request.auth.claims.{source['claim']}"
    extra = {key.lower(): value} if value is not None else {}
    for rule in http:
        if any(satisfies(item, request, extra) for item in rule.get("match", [{}])):
            return {name: rule[name] for name in rule if name not in ("name", "match")}
    return None


def values_of(case: Case, stage: str) -> Iterator[tuple[str | None, bool]]:
    """Each value, and whether the spec alone says what it gets.

    Minimal rules without `strict` may treat a malformed hash as they like; all others
    say exactly what the spec says, for every string.
    """
    hashes, malformed = case.hashes(), case.malformed()
    loose = case.spec["output"]["rules"] == "minimal" and not case.strict
    if stage == "done" or winner_of(case, stage) is not None:
        hashes, malformed, loose = hashes[:3] + hashes[-1:], malformed[:3], False
    yield None, True
    yield from ((value, True) for value in hashes)
    yield from ((value, not loose) for value in malformed)


@given(cases())
@settings(max_examples=settings().max_examples * 2)
def test_every_request_gets_what_the_spec_promises(case: Case) -> None:
    note(json.dumps(case.body))
    for stage in compiled(case).rendered:
        http = stage.virtual_service["spec"]["http"]
        note(f"{stage.name}: {json.dumps(http)}")
        for request in REQUESTS if "http" in case.spec["route"] else REQUESTS[:1]:
            possible = [
                expected(case, stage.name, request, value)
                for value in (None, *case.hashes(), *case.malformed())
            ]
            for value, certain in values_of(case, stage.name):
                seen = routed(case, http, request, value)
                if certain:
                    assert seen == expected(case, stage.name, request, value), (request, value)
                else:
                    assert seen in possible


def match_items(http: list[Json]) -> int:
    return sum(len(rule.get("match", [{}])) for rule in http)


@given(cases())
@settings(max_examples=settings().max_examples * 2)
def test_minimal_rules_are_never_more(case: Case) -> None:
    minimal = compiled(case.with_rules("minimal"))
    grouped = compiled(case.with_rules("per-group"))
    for few, many in zip(minimal.rendered, grouped.rendered, strict=True):
        assert few.name == many.name
        one, other = few.virtual_service["spec"]["http"], many.virtual_service["spec"]["http"]
        assert match_items(one) <= match_items(other)


@given(cases())
@settings(max_examples=settings().max_examples * 2)
def test_every_stage_is_the_same_object_with_names_of_its_own(case: Case) -> None:
    experiment = compiled(case)
    names = set()
    for stage in experiment.rendered:
        service = stage.virtual_service
        assert service["kind"] == "VirtualService"
        metadata = service["metadata"]
        names.add((metadata["namespace"], metadata["name"]))
        switches = case.spec["output"]
        assert ("labels" in metadata) == switches.get("labels", True)
        if "annotations" in metadata:
            assert metadata["annotations"]["pinroute.dev/stage"] == stage.name
        check_names(service["spec"]["http"], switches)
    spec = case.spec["route"].get("virtualService", {})
    own = case.body["metadata"].get("namespace", "default")
    assert names == {(spec.get("namespace", own), spec.get("name", "shop-search"))}
    assert [stage.name for stage in experiment.rendered][:2] == ["observe", "experiment"]
    live = next(stage for stage in experiment.rendered if stage.name == experiment.live)
    assert live.name == case.spec["stage"]


RAW = [{**entry["raw"], "name": ""} for entry in HTTP + LAST if "raw" in entry]


@given(cases())
def test_every_group_has_a_rule_of_its_own(case: Case) -> None:
    """Per group also where its version is the fallback's: groups are counted apart."""
    experiment = compiled(case.with_rules("per-group"))
    by_name = {stage.name: stage for stage in experiment.rendered}
    routes = [
        entry["name"]
        for entry in case.spec["route"].get("http", [{"name": ""}])
        if "raw" not in entry
    ]
    names = case.spec["output"].get("ruleNames", True)
    for stage in ("observe", "experiment"):
        http = by_name[stage].virtual_service["spec"]["http"]
        stats = {item.get("statPrefix", "") for rule in http for item in rule.get("match", [])}
        for group in case.spec.get("groups", []):
            for route in routes if names else ():
                name = f"pin/shop-search/{group['name']}" + (f"/{route}" if route else "")
                (rule,) = [rule for rule in http if rule.get("name") == name]
                conditions = next(
                    len(entry.get("match", [{}]))
                    for entry in case.spec["route"].get("http", [{"name": ""}])
                    if entry["name"] == route
                )
                assert len(rule["match"]) == len(group["prefixes"]) * conditions
            if case.spec["output"].get("statPrefixes", True):
                name = group["name"].replace("-", "_")
                assert any(re.search(rf"_g1v[1-4]_{name}$", stat) for stat in stats)


def check_names(http: list[Json], switches: Json) -> None:
    """A rule's name and its counters stand for one version only: otherwise they would mix."""
    by_name: dict[str, Any] = {}
    by_stat: dict[str, Any] = {}
    for rule in http:
        if {**rule, "name": ""} in RAW:
            continue
        destination = rule["route"][0]
        if switches.get("ruleNames", True):
            assert by_name.setdefault(rule["name"], destination) == destination
        elif rule.get("name") is not None:
            raise AssertionError("a rule has a name although names are off")
        for item in rule.get("match", []):
            if switches.get("statPrefixes", True):
                assert by_stat.setdefault(item["statPrefix"], destination) == destination
            else:
                assert "statPrefix" not in item


@given(cases())
def test_the_files_hold_the_objects_and_are_always_the_same(case: Case) -> None:
    experiment = compiled(case)
    files = experiment.files()
    assert files == compiled(case).files()
    by_stage = {stage.name: stage for stage in experiment.rendered}
    active = [
        yaml.safe_load(text)
        for name, text in files.items()
        if name.startswith("active/") and "kustomization" not in name
    ]
    live = sorted(by_stage[experiment.live].objects, key=identity)
    assert sorted(active, key=identity) == live
    for name, stage in by_stage.items():
        text = files[f"stages/{name}.yaml"]
        assert list(yaml.safe_load_all(text)) == list(stage.objects)
        assert text.startswith("# Code generated by pinroute from shop.yaml. DO NOT EDIT.\n")
    kustomization = yaml.safe_load(files["active/kustomization.yaml"])
    listed = {f"active/{name}" for name in kustomization["resources"]}
    assert len(kustomization["resources"]) == len(listed)
    assert listed | {"active/kustomization.yaml"} == {
        name for name in files if name.startswith("active/")
    }


def identity(body: Json) -> tuple[str, str, str]:
    return body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_fields_in_the_text_changes_nothing_but_order(
    case: Case, random: Any
) -> None:
    def shuffled(node: Any) -> Any:
        if isinstance(node, dict):
            keys = list(node)
            random.shuffle(keys)
            return {key: shuffled(node[key]) for key in keys}
        return [shuffled(item) for item in node] if isinstance(node, list) else node

    other = Case(shuffled(case.body))
    for one, two in zip(compiled(case).rendered, compiled(other).rendered, strict=True):
        assert one.objects == two.objects
