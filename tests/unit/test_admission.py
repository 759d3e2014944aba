"""What a spec may ask of a route: the user hash is decided by groups alone."""

import pytest

from pinroute.compilation import Source, compile_specs

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route:
    hosts: [a.com]
    gateways: [a/b]
    http:
    - {name: ones, match: [{headers: {KEY: {exact: "1"}}}]}
  userHash: {from: SOURCE, digits: 3}
  versions:
  - {name: v1, service: {host: one, port: 80}}
  - {name: v2, service: {host: two, port: 80}}
  baseline: v1
  groups:
  - {name: a, version: v2, prefixes: ["11"]}
"""


@pytest.mark.parametrize(
    ("source", "key", "refused"),
    [
        ("{header: userhash}", "userhash", True),
        ("{header: userhash}", "UserHash", True),
        ("{header: userhash}", "other", False),
        ("{claim: userhash}", '"@request.auth.claims.userhash"', True),
        ("{claim: userhash}", '"@request.auth.claims[userhash]"', True),
        ("{claim: userhash}", '"@request.auth.claims.UserHash"', False),
    ],
)
def test_the_key_of_the_hash(source: str, key: str, refused: bool) -> None:
    text = SPEC.replace("SOURCE", source).replace("KEY", key)
    found = compile_specs([Source("spec.yaml", text.encode())]).diagnostics
    assert ("PIN228" in {diagnostic.code for diagnostic in found}) is refused, found
