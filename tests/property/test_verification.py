"""`verify` proves what it says: against every hash, asked one by one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.istio.evaluate import Call, taker
from pinroute.istio.read import read_rules
from pinroute.manifest.dump import dump
from pinroute.spec.parse import parse
from pinroute.verification import Unprovable, verify

SAMPLES = Path(__file__).parents[2] / "samples"
SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: a, namespace: d}
spec:
  route: {hosts: [a.example], gateways: [istio-system/public]}
  userHash: {from: {header: h}, digits: 5}
  versions:
  - {name: v1, service: {host: one, port: 80}}
  - {name: v2, service: {host: two, port: 80}}
  baseline: v1
  groups:
  - {name: g, version: v2, prefixes: ["01", "1101"]}
  fallback: {noHash: v1, unassigned: v1}
"""


def _compiled(text: str, beside: Path = SAMPLES) -> Compiled:
    source = Source("spec.yaml", text.encode(), lambda name: (beside / name).read_bytes())
    return compile_specs([source]).experiments[0]


def _document(service: Any) -> Any:
    return parse("vs.yaml", dump(service))[0][0]


@pytest.mark.parametrize("name", sorted(file.stem for file in SAMPLES.glob("*.yaml")))
def test_what_we_compile_we_verify(name: str) -> None:
    compiled = _compiled((SAMPLES / f"{name}.yaml").read_text("utf-8"))
    proof = verify(compiled, _document(compiled.rendered[0].virtual_service))
    assert proof.differences == ()
    assert proof.blocks >= 2


MATCHES = st.one_of(
    st.builds(lambda text: {"prefix": text}, st.text("01", min_size=1, max_size=5)),
    st.builds(lambda text: {"exact": text}, st.text("01", min_size=4, max_size=5)),
    st.just({}),
    st.sampled_from([{"regex": "0.*"}, {"regex": "[01]{5}"}, {"regex": "01[01]{3}"}]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(MATCHES, st.booleans()), max_size=5))
def test_every_difference_is_found_and_none_invented(
    rules: list[tuple[dict[str, str], bool]],
) -> None:
    compiled = _compiled(SPEC)
    service: Any = yaml.safe_load(dump(compiled.rendered[0].virtual_service))
    to = {version: _rule(service, version) for version in ("v1", "v2")}
    service["spec"]["http"] = [
        {**to["v2" if second else "v1"], "match": [{"headers": {"h": match}}]}
        for match, second in rules
    ] + [to["v1"]]
    proof = verify(compiled, _document(service))
    read = read_rules(service, "h")
    wrong = set()
    for value in [None, *(format(number, "05b") for number in range(32))]:
        call = Call(
            "a.example",
            headers={} if value is None else {"h": (value,)},
            gateway="istio-system/public",
        )
        item = taker(read, call)
        assert item is not None
        host = service["spec"]["http"][item.rule]["route"][0]["destination"]["host"]
        promised = "two" if value is not None and value.startswith(("01", "1101")) else "one"
        if host.split(".")[0] != promised:
            wrong.add(value)
    found = {difference.value for difference in proof.differences}
    assert found <= wrong
    assert bool(found) == bool(wrong)


def _rule(service: Any, version: str) -> dict[str, Any]:
    rule = next(
        rule
        for rule in service["spec"]["http"]
        if rule["route"][0]["headers"]["response"]["set"]["version"] == version
    )
    return {"route": rule["route"]}


def test_a_host_that_is_not_served_is_told() -> None:
    compiled = _compiled(SPEC)
    service: Any = yaml.safe_load(dump(compiled.rendered[0].virtual_service))
    service["spec"]["hosts"] = ["b.example"]
    with pytest.raises(Unprovable, match="none of the hosts"):
        verify(compiled, _document(service))
