"""What the compiler accepts, a real Envoy takes and routes: random, also hostile, specs."""

from typing import Any

import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pinroute.compilation import Source, compile_specs
from pinroute.local.trial import gateway_for, observe

PARTS = ("hosts", "names", "values", "match", "rewrite", "timeout")
SOUND: dict[str, st.SearchStrategy[Any]] = {
    "hosts": st.sampled_from(["a.example", "B.example", "*.c.example", "d"]),
    "names": st.sampled_from(
        ["x-a", "X-B", "x_c", "x!d", "cookie", "accept", "set-cookie", "server"]
    ),
    "values": st.sampled_from(
        ["v1", "a b", "100%%", "%REQ(userhash)%", "x" * 3000, "üñ", "a,b;c=d", "a\tb", "", " x "]
    ),
    "match": st.sampled_from(
        [
            {"prefix": "/a"},
            {"exact": "/a%20b"},
            {"regex": "/a.*"},
            {"regex": "/[[:alpha:]]+"},
            {"regex": "\\p{L}+"},
            {"regex": "/[*+]"},
        ]
    ),
    "rewrite": st.sampled_from(
        [
            {"uri": "/x"},
            {"authority": "b.example:80"},
            {"uriRegexRewrite": {"match": "^/a/(.*)$", "rewrite": "/b/\\1"}},
            {"uri": "/", "authority": "b.example"},
        ]
    ),
    "timeout": st.sampled_from(["5s", "1h", "250ms", "1m30s"]),
}
NASTY: dict[str, st.SearchStrategy[Any]] = {
    "hosts": st.sampled_from(
        ["a_b.com", "1.2.3.4", "a..b", "x:80", "example.com.", "-a.b", "é.com"]
    ),
    "names": st.one_of(
        st.sampled_from(
            ["Host", "bad name", "a/b", ":path", "te", "content-length", "connection"]
        ),
        st.text("abX-_!% é", min_size=1, max_size=6),
    ),
    "values": st.one_of(
        st.sampled_from(
            ["%FOO%", "100%", "%REQ()%", "a\nb", "\x00", "%REQ(a?b):5%", "%START_TIME(%s)%"]
        ),
        st.text(max_size=12),
        st.text("abc%()_REQ:", max_size=8),
    ),
    "match": st.one_of(
        st.sampled_from([{"regex": "(?=x)"}, {"regex": "[a"}, {"regex": "a++"}, {"prefix": ""}]),
        st.builds(lambda text: {"regex": text}, st.text("/a[](){}+*?\\^$|p1", max_size=6)),
        st.builds(lambda text: {"prefix": f"/{text}"}, st.text(max_size=5)),
    ),
    "rewrite": st.sampled_from(
        [
            {},
            {"uri": ""},
            {"uri": "x"},
            {"uriRegexRewrite": {"match": "(", "rewrite": "/"}},
            {"uriRegexRewrite": {"match": "/(a)", "rewrite": "/\\2"}},
            {"uriRegexRewrite": {"match": "/a", "rewrite": "/\\x"}},
            {"authority": "a b"},
            {"authority": "é"},
        ]
    ),
    "timeout": st.sampled_from(["0s", "1ns", "1.5ms", "5"]),
}


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of sound parts, of which one kind may be nasty."""
    nasty = draw(st.sampled_from([None, *PARTS]))
    of = {part: NASTY[part] if part == nasty else SOUND[part] for part in PARTS}
    pairs = st.dictionaries(of["names"], of["values"], min_size=1, max_size=3)
    operations = st.fixed_dictionaries(
        {}, optional={"set": pairs, "add": pairs, "remove": st.lists(of["names"], max_size=2)}
    )
    digits = draw(st.integers(1, 6))
    block = st.text("01", min_size=digits, max_size=digits)
    versions = []
    for name in ("one", "two"):
        version: dict[str, Any] = {"name": name, "service": {"host": f"app-{name}", "port": 80}}
        if draw(st.booleans()):
            version["headers"] = {"request": draw(operations), "response": draw(operations)}
        if draw(st.integers(0, 3)) == 0:
            version["rewrite"] = draw(of["rewrite"])
        versions.append(version)
    route: dict[str, Any] = {"hosts": [draw(of["hosts"])], "gateways": ["istio-system/public"]}
    if draw(st.booleans()):
        some = {
            "name": "some",
            "match": [{"uri": draw(of["match"])}],
            "timeout": draw(of["timeout"]),
        }
        route["http"] = [some, {"name": "rest"}]
    strict = draw(st.booleans())
    fallback = {"unassigned": draw(st.sampled_from(["one", "two"])), "noHash": "one"}
    if strict:
        fallback["malformed"] = draw(st.sampled_from(["one", "two"]))
    groups = [
        {
            "name": "group",
            "version": "two",
            "prefixes": draw(st.lists(block, min_size=1, max_size=3, unique=True)),
        }
    ]
    output = {
        "rules": draw(st.sampled_from(["per-group", "minimal"])),
        "ruleNames": draw(st.booleans()),
        "statPrefixes": draw(st.booleans()),
        "versionHeader": draw(st.sampled_from(["version", "", "x-version"])),
        "vary": draw(st.booleans()),
    }
    header = draw(st.sampled_from(["userhash", "User-Hash", "user_hash"]))
    return {
        "apiVersion": "pinroute.dev/v1alpha1",
        "kind": "AffinityExperiment",
        "metadata": {"name": "random", "namespace": "default"},
        "spec": {
            "stage": draw(st.sampled_from(["observe", "experiment", "promote-v2", "done"])),
            "route": route,
            "userHash": {"from": {"header": header}, "digits": digits, "strict": strict},
            "versions": versions,
            "baseline": "one",
            "groups": groups,
            "fallback": fallback,
            "output": output,
        },
    }


@settings(max_examples=150, deadline=None)
@given(specs())
def test_what_is_accepted_is_taken_and_routed(spec: dict[str, Any]) -> None:
    text = yaml.safe_dump(spec, allow_unicode=True)
    compilation = compile_specs([Source("random.yaml", text.encode())])
    event("refused" if compilation.failed else "accepted")
    if compilation.failed:
        assert not compilation.experiments
        return
    compiled = compilation.experiments[0]
    with gateway_for({"random": compiled}) as gateway:
        observations = observe(compiled, gateway.port("random"), ())
    wrong = [item for item in observations if not item.right]
    assert not wrong, wrong[:3]
