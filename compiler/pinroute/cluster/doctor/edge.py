"""What can be told of the gateways' pods: who makes the user hash, and are requests counted?

Sources: "EnvoyFilter", "RequestAuthentication" (`outputClaimToHeaders`: Envoy removes what the
client sent first) and `proxyStatsMatcher` in ProxyConfig of Istio's reference.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pinroute.cluster.api.kinds import (
    ENVOY_FILTER,
    POD,
    REQUEST_AUTHENTICATION,
    Body,
    identity_of,
)
from pinroute.cluster.doctor.answer import OK, PROBLEM, UNKNOWN, WARNING, Answer
from pinroute.cluster.gateways import Gateway, GatewaySilent
from pinroute.cluster.neighbours import gateways_of, live_gateway
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.istio.regex import full_match, regex_problem
from pinroute.istio.resource import MESH, as_list, as_mapping

ROOT_NAMESPACE = "istio-system"  # unless the mesh configuration names another
PROXY_CONFIG = "proxy.istio.io/config"
_MATCHER = (
    "'pinroute observability' prints the annotation of the gateway's pods; or ask a pod with "
    "--gateway-admin"
)


def header(compiled: Compiled, view: View) -> Iterator[Answer]:
    """Ask whether users can choose their own hash."""
    question = "hash header"
    user_hash = compiled.checked.spec.experiment.user_hash
    name = user_hash.source.name
    where = _namespaces(compiled)
    known = [body for one in where for body in view.within(REQUEST_AUTHENTICATION, one)]
    selectors = list(_selectors(compiled, view))
    rules = [body for body in known if _reaches(body, selectors)]
    if user_hash.source.kind == "claim":
        shown = ", ".join(identity_of(body).key for body in rules or known)
        if rules:
            yield Answer(question, OK, f"claim {name!r} is of tokens that are verified: {shown}")
        elif known:
            yield Answer(
                question,
                UNKNOWN,
                f"{shown} is for pods that may not be the gateway's",
                "compare its selector with the labels of the gateway's pods",
            )
        else:
            yield Answer(
                question,
                PROBLEM,
                f"no RequestAuthentication in {', '.join(where)}: no claim is ever verified",
                "create one for the gateway; until then nobody has a user hash",
            )
        return
    if user_hash.trust == "client":
        yield Answer(
            question,
            WARNING,
            f"the spec trusts clients: whoever sets header {name} chooses a version",
            "let the edge make it, and set userHash.trust to edge",
        )
        return
    making = [body for body in rules if name.lower() in _copied(body)]
    if making:
        shown = ", ".join(identity_of(body).key for body in making)
        yield Answer(question, OK, f"{shown} overwrites header {name} by a verified claim")
        return
    filters = [
        identity_of(body).key
        for one in where
        for body in view.within(ENVOY_FILTER, one)
        if name.lower() in json.dumps(body.get("spec")).lower()
    ]
    said = f"{', '.join(filters)} names header {name}"
    if not filters:
        said = f"no EnvoyFilter in {', '.join(where)} names header {name}"
    yield Answer(
        question,
        UNKNOWN,
        f"{said}; what stands before the gateway is not to be seen",
        f"send a request with a {name} of another group: its version must not change",
    )


def _namespaces(compiled: Compiled) -> list[str]:
    """Return the namespaces whose EnvoyFilters and RequestAuthentications reach the gateways."""
    route = compiled.checked.spec.experiment.route
    own = [
        route.namespace if key == MESH else key.partition("/")[0] for key in gateways_of(compiled)
    ]
    return list(dict.fromkeys([*own, ROOT_NAMESPACE]))


def _selectors(compiled: Compiled, view: View) -> Iterator[Mapping[str, Any]]:
    """Yield the labels that the pods of each gateway have at least."""
    for key in gateways_of(compiled):
        found = live_gateway(compiled, key, view) if key != MESH else None
        yield as_mapping(found.spec.get("selector")) if found is not None else {}


def _reaches(rule: Body, selectors: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a rule is surely for the pods of all gateways."""
    spec = as_mapping(rule.get("spec"))
    if spec.get("targetRef") or spec.get("targetRefs"):
        return False
    wanted = as_mapping(as_mapping(spec.get("selector")).get("matchLabels"))
    return all(wanted.items() <= own.items() for own in selectors)


def _copied(body: Body) -> set[str]:
    """Return the headers that claims are copied into, in lower case."""
    return {
        str(as_mapping(copy).get("header")).lower()
        for rule in as_list(as_mapping(body.get("spec")).get("jwtRules"))
        for copy in as_list(as_mapping(rule).get("outputClaimToHeaders"))
    }


def counters(compiled: Compiled, view: View, asked: Sequence[Gateway]) -> Iterator[Answer]:
    """Ask whether the gateways count the requests of each group."""
    question = "counters"
    groups = {item.stat_prefix for item in compiled.stages[0].routes.items if item.stat_prefix}
    if not groups:
        yield Answer(
            question,
            WARNING,
            "the spec gives groups no counters",
            "output.statPrefixes: true, if metrics are to be read at the gateway",
        )
        return
    for gateway in asked:
        try:
            found = gateway.counters("upstream_rq_total")
        except GatewaySilent as failure:
            yield Answer(question, UNKNOWN, str(failure), failure.hint)
            continue
        missing = sorted(groups - set(found))
        if missing:
            yield Answer(
                question,
                PROBLEM,
                f"{gateway.admin} has no counters of {', '.join(missing)}",
                "apply the stage first; then the gateway's proxyStatsMatcher leaves them out",
            )
        else:
            yield Answer(question, OK, f"{gateway.admin} counts all {len(groups)} groups")
    if not asked:
        yield from _matchers(compiled, view, sorted(groups)[0])


def _matchers(compiled: Compiled, view: View, group: str) -> Iterator[Answer]:
    """Look at the annotations of gateway pods; the mesh configuration may say it, too."""
    question = "counters"
    name = f"vhost.example.com:80.route.{group}.upstream_rq_completed"
    for key, wanted in zip(gateways_of(compiled), _selectors(compiled, view), strict=True):
        if key == MESH:
            yield Answer(question, UNKNOWN, "sidecars of callers count, each for itself", _MATCHER)
            continue
        namespace = key.partition("/")[0]
        pods = [pod for pod in view.within(POD, namespace) if _has(pod, wanted)] if wanted else []
        if not pods:
            yield Answer(
                question, UNKNOWN, f"no pods of Gateway {key} in {namespace} are seen", _MATCHER
            )
            continue
        silent = [identity_of(pod).name for pod in pods if not _counts(pod, name)]
        if silent:
            yield Answer(
                question,
                UNKNOWN,  # newer releases of Istio count by route in any case (istio/istio#51639)
                f"pods of {key} have no proxyStatsMatcher for groups, which old Istio needs: "
                f"{', '.join(silent)}",
                _MATCHER,
            )
        else:
            yield Answer(question, OK, f"the {len(pods)} pods of {key} count what groups do")


def _has(pod: Body, labels: Body) -> bool:
    own = as_mapping(as_mapping(pod.get("metadata")).get("labels"))
    return all(own.get(name) == text for name, text in labels.items())


def _counts(pod: Body, name: str) -> bool:
    """Tell whether the annotation of a pod makes its Envoy keep a counter."""
    import yaml

    notes = as_mapping(as_mapping(pod.get("metadata")).get("annotations"))
    try:
        config: Any = yaml.safe_load(str(notes.get(PROXY_CONFIG) or ""))
    except yaml.YAMLError:
        return False
    matcher = as_mapping(as_mapping(config).get("proxyStatsMatcher"))
    if any(name.startswith(str(one)) for one in as_list(matcher.get("inclusionPrefixes"))):
        return True
    if any(name.endswith(str(one)) for one in as_list(matcher.get("inclusionSuffixes"))):
        return True
    regexes = [str(one) for one in as_list(matcher.get("inclusionRegexps"))]
    return any(regex_problem(one) is None and full_match(one, name) for one in regexes)
