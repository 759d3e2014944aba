"""Stage 3: from a document of the right shape to an experiment with all defaults filled in.

What a cluster's `Environment` says wins over the spec's own `environment`, field by field.
"""

from collections.abc import Mapping
from typing import Any, cast

from pinroute.spec.model import (
    NO_HEADERS,
    Analysis,
    Body,
    Environment,
    Experiment,
    Fallback,
    Group,
    GroupName,
    HashSource,
    HeaderOps,
    HttpRoute,
    InferenceService,
    Output,
    Platform,
    Route,
    Service,
    SlotBounds,
    UserHash,
    Version,
    VersionName,
)

ALPHABETS = {"binary": "01", "decimal": "0123456789", "hex": "0123456789abcdef"}
ITER8_FIELDS = ("criteria", "duration", "actions")

Fields = Mapping[str, Any]


def resolve(data: Fields, environment: Fields | None = None) -> Experiment:
    """Return the experiment of a document's data; `environment` is the spec of an Environment."""
    metadata, spec = data["metadata"], data["spec"]
    name, namespace = metadata["name"], metadata.get("namespace")
    baseline = VersionName(spec["baseline"])
    return Experiment(
        name=name,
        namespace=namespace,
        stage=spec.get("stage", "experiment"),
        generation=spec.get("generation", 1),
        target=spec.get("target"),
        environment=_environment(_overlaid(spec.get("environment", {}), environment or {})),
        route=_route(spec["route"], name, namespace or "default"),
        user_hash=_user_hash(spec["userHash"]),
        versions=tuple(_version(item, namespace or "default") for item in spec["versions"]),
        baseline=baseline,
        groups=tuple(_group(item) for item in spec.get("groups", ())),
        fallback=_fallback(spec.get("fallback", {}), baseline),
        buckets=int(spec["buckets"]) if "buckets" in spec else None,
        analysis=_analysis(spec.get("analysis", {})),
        promotion=spec.get("promotion", {}).get("strategy"),
        rotation=spec.get("rotation", {}).get("key"),
        output=_output(spec.get("output", {})),
        extra={field: spec[field] for field in ITER8_FIELDS if field in spec},
    )


def _overlaid(under: Fields, over: Fields) -> dict[str, Any]:
    merged = dict(under)
    # The two platforms exclude each other: naming one replaces the other.
    for one, other in (("kserve", "kfserving"), ("kfserving", "kserve")):
        if one in over and other not in over:
            merged.pop(other, None)
    for key, item in over.items():
        below = merged.get(key)
        merged[key] = (
            {**below, **item} if isinstance(below, dict) and isinstance(item, dict) else item
        )
    return merged


def _environment(fields: Fields) -> Environment:
    domain = fields.get("clusterDomain", "cluster.local")
    gateway = fields.get("localGateway", {})
    platform: Platform | None = None
    if "kserve" in fields:
        kserve = fields["kserve"]
        mode = kserve.get("mode", "Knative")
        mode = {"Serverless": "Knative", "RawDeployment": "Standard"}.get(mode, mode)
        platform = Platform("kserve", kserve["version"], mode)
    elif "kfserving" in fields:
        platform = Platform("kfserving", fields["kfserving"]["version"], "Knative")
    return Environment(
        istio_api_version=fields.get("istio", {}).get("apiVersion", "networking.istio.io/v1"),
        platform=platform,
        cluster_domain=domain,
        local_gateway_host=gateway.get("host", f"knative-local-gateway.istio-system.svc.{domain}"),
        local_gateway_port=gateway.get("port", 80),
    )


def _route(fields: Fields, name: str, namespace: str) -> Route:
    service = fields.get("virtualService", {})
    return Route(
        hosts=tuple(fields["hosts"]),
        gateways=tuple(fields.get("gateways", ())),
        name=service.get("name", name),
        namespace=service.get("namespace", namespace),
        http=tuple(
            HttpRoute(
                name=item["name"],
                match=tuple(item.get("match", ())),
                timeout=item.get("timeout"),
                retries=item.get("retries"),
                raw=item.get("raw"),
            )
            for item in fields.get("http", ())
        ),
        delegate=service.get("mode") == "delegate",
        splice=service.get("mode") == "splice",
        file=service.get("file"),
    )


def _user_hash(fields: Fields) -> UserHash:
    source = fields["from"]
    kind = "header" if "header" in source else "claim"
    alphabet = fields.get("alphabet", "binary")
    # In the order of code points, so that sorting prefixes sorts blocks.
    characters = ALPHABETS.get(alphabet) or "".join(sorted(set(alphabet)))
    return UserHash(
        source=HashSource(kind, source[kind]),
        alphabet=characters,
        digits=int(fields.get("digits", 10)),
        strict=fields.get("strict", False),
        trust=fields.get("trust", "edge"),
    )


def _headers(fields: Fields) -> HeaderOps:
    if not fields:
        return NO_HEADERS
    return HeaderOps(fields.get("set", {}), fields.get("add", {}), tuple(fields.get("remove", ())))


def _version(fields: Fields, namespace: str) -> Version:
    inference, service = fields.get("inferenceService"), fields.get("service")
    headers = fields.get("headers", {})
    return Version(
        name=VersionName(fields["name"]),
        inference_service=inference
        and InferenceService(
            name=inference["name"],
            namespace=inference.get("namespace", namespace),
            service=inference.get("service"),
            manifest=inference.get("manifest"),
            predictor=inference.get("predictor"),
            transformer=inference.get("transformer"),
        ),
        service=service
        and Service(
            host=service["host"],
            port=service.get("port"),
            subset=service.get("subset"),
            labels=service.get("labels", {}),
            destination_rule=service.get("destinationRule"),
        ),
        request=_headers(headers.get("request", {})),
        response=_headers(headers.get("response", {})),
        rewrite=cast("Body | None", fields.get("rewrite")),
    )


def _group(fields: Fields) -> Group:
    slot = fields.get("slot")
    return Group(
        name=GroupName(fields["name"]),
        version=VersionName(fields["version"]),
        prefixes=tuple(fields.get("prefixes", ())),
        percent=fields.get("percent"),
        slot=SlotBounds(slot["from"], slot["to"]) if slot is not None else None,
        ramp=tuple(fields.get("ramp", ())),
    )


def _analysis(fields: Fields) -> Analysis:
    control = fields.get("control")
    return Analysis(
        control=GroupName(control) if control is not None else None,
        treatments=tuple(GroupName(name) for name in fields.get("treatments", ())),
    )


def _fallback(fields: Fields, baseline: VersionName) -> Fallback:
    malformed = fields.get("malformed")
    return Fallback(
        unassigned=VersionName(fields.get("unassigned", baseline)),
        no_hash=VersionName(fields.get("noHash", baseline)),
        malformed=VersionName(malformed) if malformed is not None else None,
    )


def _output(fields: Fields) -> Output:
    return Output(
        rules=fields.get("rules", "per-group"),
        rule_names=fields.get("ruleNames", True),
        stat_prefixes=fields.get("statPrefixes", True),
        labels=fields.get("labels", True),
        ports=fields.get("ports", True),
        version_header=fields.get("versionHeader", "version"),
        vary=fields.get("vary", True),
        iter8_experiment=fields.get("iter8Experiment", False),
        tolerance=fields.get("tolerance", 0),
        max_rules=fields.get("maxRules"),
    )
