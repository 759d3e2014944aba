"""Rules that are written alike are checked once, and what is wrong with one is said of each."""

from pinroute.checks.alone import alone
from pinroute.checks.registry import check_virtual_services
from pinroute.spec.nodes import Document
from pinroute.spec.parse import parse

HEAD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME, namespace: shop}
spec:
  hosts: [NAME.example.com]
  gateways: [istio-system/public]
  http:
"""
GOOD = "  - route: [{destination: {host: a}}]\n    headers: {request: {set: {x: a}}}\n"
BAD = "  - route: [{destination: {host: a}}]\n    headers: {request: {set: {x: '%FOO%'}}}\n"


def matched(rule: str, prefix: str) -> str:
    match = f'    match: [{{headers: {{userhash: {{prefix: "{prefix}"}}}}}}]\n'
    return rule + match


def documents(*bodies: str) -> list[Document]:
    texts = [HEAD.replace("NAME", f"v{number}") + body for number, body in enumerate(bodies)]
    found, broken = parse("vs.yaml", "---\n".join(texts))
    assert not broken
    return found


def test_each_rule_with_a_fault_is_told() -> None:
    found = documents(matched(BAD, "1") + matched(BAD, "0") + BAD, GOOD, BAD)
    codes = [finding.code for finding in check_virtual_services(found)]
    assert codes.count("PIN303") == 4


def test_a_fault_in_one_rule_does_not_hide_that_others_are_clean() -> None:
    found = documents(matched(GOOD, "1") + matched(BAD, "0") + GOOD)
    places = [item.path[2] for item in check_virtual_services(found) if item.code == "PIN303"]
    assert places == [1]


def test_together_and_alone_are_the_same() -> None:
    rules = [matched(GOOD, "1") + GOOD, matched(BAD, "11") + GOOD, GOOD, BAD, matched(GOOD, "0")]
    found = documents(*rules)
    apart = [finding for document in found for finding in alone(document).findings]
    together = [
        finding
        for finding in check_virtual_services(found)
        if finding.code not in ("PIN309", "PIN328")
    ]
    assert sorted(together) == sorted(apart)


def test_an_alias_means_what_its_own_document_says() -> None:
    rule = "  - route: [{destination: {host: a}}]\n    headers: {request: {set: {x: *x}}}\n"
    first = "  - name: &x fine\n    route: [{destination: {host: a}}]\n" + rule
    second = "  - name: &x '%FOO%'\n    route: [{destination: {host: a}}]\n" + rule
    codes = [item.code for item in check_virtual_services(documents(first, second))]
    assert codes.count("PIN303") == 1
