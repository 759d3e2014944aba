"""Rules in a text of another owner: where they go, what stays, what is refused."""

from __future__ import annotations

import pytest

from pinroute.manifest.block import Block, CannotSplice
from pinroute.manifest.splice import spliced

RULES = [
    {"name": "pin/exp/a", "match": [{"headers": {"h": {"prefix": "000"}}}], "route": []},
    {"name": "pin/exp/b", "route": [{"destination": {"host": "b"}}]},
]
BLOCK = Block("exp", RULES, ("first line", "second line"))
HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
"""
LINES = [
    "# pin/exp: first line",
    "# pin/exp: second line",
    "- name: pin/exp/a",
    "  match:",
    "  - headers:",
    "      h:",
    "        prefix: '000'",
    "  route: []",
    "- name: pin/exp/b",
    "  route:",
    "  - destination:",
    "      host: b",
]


def written(indent: int, ending: str = "\n") -> str:
    return "".join(f"{' ' * indent}{line}{ending}" for line in LINES)


def put(text: str, block: Block = BLOCK, number: int = 0) -> str:
    return spliced("f.yaml", text, number, block)


def taken(text: str, number: int = 0) -> str:
    return put(text, Block("exp"), number)


@pytest.mark.parametrize(
    ("before", "behind", "indent"),
    [
        ("spec:\n  http:\n", "  - name: site\n    route: []\n", 2),
        ("spec:\n  http:\n", "    - name: site\n      route: []\n", 4),
        ("spec:\n    http:   # é\n", "\n    # The first\n    -   name: site\n", 4),
        ("spec:\n  http: &rules\n", "  - {name: site,\n     route: []}\n  tls: []\n", 2),
        ('"spec":\n  "http":\n', "  - name: site\n", 2),
        ("spec:\n  hosts: [a]\n  http:\n", "  -\n    name: site", 2),
        ("spec:\n  http:\n  - a: 1\n  # pinroute: here\n", "  - a: 2\n", 2),
        ("spec:\n  http:\n  - a: 1\n\n  #pinroute: here \n", "\n  # next\n  - a: 2\n", 2),
        ("spec:\n  http:\n  - a: 1\n  # pinroute: here\n", "", 2),
        ("spec:\n  http:\n  - a: 1\n  # pinroute: here\n", "  # more\n  tls: []\n", 2),
        ("spec:\n  http:\n  # pinroute: here\n", "  # next\n  - a: 2\n", 2),
        ("spec:\n  http:\n  - a: |\n      x\n\n  # pinroute: here\n", "  - a: 2\n", 2),
        ("spec:\n  http:\n  - &x {a: 1}\n  # pinroute: here\n", "  - *x\n", 2),
        ("x: &m\n  y: 1\nspec:\n  <<: *m\n  http:\n", "  - a: 1\n", 2),
        # Not the mark: text, another comment, one behind a value.
        ("spec:\n  http:\n", "  - a: '# pinroute: here'\n  # pinroute: here?\n  - b: 1\n", 2),
        ("spec:\n  http:\n", "  - a: |\n      x\n  - b: 1 # pinroute: here\n", 2),
    ],
)
def test_where_rules_go(before: str, behind: str, indent: int) -> None:
    text = HEAD + before + behind
    after = put(text)
    assert after == HEAD + before + written(indent) + behind
    assert put(after) == after
    assert taken(after) == text
    assert taken(text) == text


def test_windows_lines_stay_windows_lines() -> None:
    text = (HEAD + "spec:\n  http:\n  - name: site\n").replace("\n", "\r\n")
    after = put(text)
    assert after == text.replace("http:\r\n", "http:\r\n" + written(2, "\r\n"))
    assert taken(after) == text


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_file_without_a_last_line_break(ending: str) -> None:
    text = (HEAD + "spec:\n  http:\n  - a: 1\n  # pinroute: here").replace("\n", ending)
    after = put(text)
    assert after == (text + ending + written(2, ending)).removesuffix(ending)
    assert put(after) == after
    other = put(after, Block("exp", RULES[:1]))
    assert not other.endswith(ending)
    assert put(other) == after
    assert taken(after) == text


def test_other_documents_stay() -> None:
    own = HEAD + "spec:\n  http:\n  - name: site\n"
    text = f"# one\n---\n{own}--- # three\nkind: ConfigMap\napiVersion: v1\n---\n{own}"
    after = put(text, number=2)
    assert after.startswith(f"# one\n---\n{own}--- # three\nkind: ConfigMap\n")
    assert after.count("pin/exp/a") == 1
    assert taken(after, number=2) == text


def test_an_object_of_a_list() -> None:
    inner = (HEAD + "spec:\n  http:\n  - a: 1\n").replace("\n", "\n  ").rstrip(" ")
    text = f"apiVersion: v1\nkind: List\nitems:\n- {inner}"
    after = put(text)
    assert after == text.replace("http:\n", "http:\n" + written(4))
    assert taken(after) == text


def test_rules_are_replaced_where_they_are() -> None:
    text = HEAD + "spec:\n  http:\n  - name: site\n    # inner\n    route: []\n\n  # last\n"
    old = "  - name: pin/exp/old\n    match: [{port: 80}]   # by hand\n"
    top, tail = text[: text.index("\n  # last")], "\n  # last\n"
    assert put(top + old + tail) == top + written(2) + tail
    assert taken(top + old + tail) == text
    assert taken(f"{top}  # pin/exp: an old comment\n{old}{tail}") == text
    kept = f"{top}  # the owner's\n"
    assert taken(f"{kept}  # pin/exp: ours\n{old}{tail}") == kept + tail


def test_another_layout_of_the_same_is_left_alone() -> None:
    text = HEAD + "spec:\n  http:\n  - name: site\n"
    after = put(text)
    formatted = after.replace("'000'", '"000"').replace("  route: []", "  route:   [ ]  # none")
    assert put(formatted) == formatted
    wrong = after.replace("'000'", "000")  # a number to some reader
    assert put(wrong) == after
    assert put(after.replace("first line", "an old line")) == after
    assert put(after.replace("  # pin/exp: second line\n", "")) == after
    assert put(after.replace("  # pin/exp: s", "  # pin/exp: more\n  # pin/exp: s")) == after


def test_two_experiments_in_any_order() -> None:
    one = Block("a", [{"name": "pin/a/x", "route": []}], ("of a",))
    two = Block("b", [{"name": "pin/b/x", "route": []}], ("of b",))
    for mark in ("", "  - name: first\n  # pinroute: here\n"):
        text = f"{HEAD}spec:\n  http:\n{mark}  # site\n  - name: site\n"
        both = put(put(text, one), two)
        assert both == put(put(text, two), one)
        assert both.index("pin/a/x") < both.index("pin/b/x") < both.index("# site")
        assert put(put(both, Block("a")), Block("b")) == text
        assert put(put(both, Block("b")), Block("a")) == text
        assert put(both, one) == put(both, two) == both


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("spec:\n  http: [{name: site}]\n", "in braces"),
        ("spec: {http: [{name: site}]}\n", "in braces"),
        ("x: &r\n- name: site\nspec:\n  http: *r\n", "alias"),
        ("spec:\n  http: &r\n  - name: site\nx: *r\n", "alias"),
        ("spec: &s\n  http:\n  - name: site\nx: *s\n", "alias"),
        ("x: &s\n  http:\n  - name: site\nspec:\n  <<: *s\n", "alias or a merge key"),
        ("x: &s\n  http:\n  - name: site\nspec: *s\n", "alias"),
        ("spec:\n  ? http\n  : - name: site\n", "alias"),
        ("spec:\n  http:\n  - name: a\n  # pinroute: here\n  # pinroute: here\n", "second time"),
        ("spec:\n  http:\n  - name: a\n    # pinroute: here\n    route: []\n", "middle of a rule"),
        ("spec:\n  http:\n  - a: |\n      x\n      # pinroute: here\n      y\n", "middle"),
        (
            "spec:\n  http:\n  - name: pin/exp/a\n  - name: mine\n  - name: pin/exp/b\n",
            "'mine' stands among",
        ),
        (
            "spec:\n  http:\n  - name: pin/exp/a\n  - a: 1\n  - name: pin/exp/b\n",
            "#1 stands among",
        ),
    ],
)
def test_what_is_refused(rules: str, why: str) -> None:
    with pytest.raises(CannotSplice, match=why):
        put(HEAD + rules)


def test_the_last_rule_is_not_taken_out() -> None:
    text = HEAD + "spec:\n  http:\n  - name: pin/exp/a\n"
    with pytest.raises(CannotSplice, match="without any rule"):
        taken(text)


def test_what_is_shared_with_our_rules_is_not_torn() -> None:
    text = HEAD + "spec:\n  http:\n  - name: pin/exp/a\n    route: &r []\n  - route: *r\n"
    for block in (BLOCK, Block("exp")):
        with pytest.raises(CannotSplice, match="alias"):
            put(text, block)
