"""The action of one Envoy route: where it goes, and what happens to headers and path."""

from collections.abc import Mapping
from typing import Any

from pinroute.istio.limits import nanoseconds

JsonObject = dict[str, Any]
Body = Mapping[str, Any]

_TRANSLATED = frozenset(
    {
        "name",
        "match",
        "route",
        "redirect",
        "directResponse",
        "rewrite",
        "timeout",
        "retries",
        "headers",
    }
)
_REDIRECT_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


class Untranslatable(Exception):
    """A field of a rule that is passed through, and that this translation does not show."""

    def __init__(self, field: str):
        super().__init__(field)
        self.field = field


def route_action(rule: Body, item: Body, port: int) -> JsonObject:
    """Return the fields of an Envoy route beside its match."""
    for field in rule:
        if field not in _TRANSLATED:
            raise Untranslatable(field)
    fields = _header_fields(rule.get("headers", {}))
    if "redirect" in rule:
        return {**fields, "redirect": _redirect(rule["redirect"])}
    if "directResponse" in rule:
        given = rule["directResponse"]
        answer: JsonObject = {"status": given["status"]}
        if "string" in given.get("body", {}):
            answer["body"] = {"inline_string": given["body"]["string"]}
        return {**fields, "direct_response": answer}
    action: JsonObject = {"timeout": _seconds(rule.get("timeout", "0s"))}
    entries = rule["route"]
    if len(entries) == 1:
        only = entries[0]
        action["cluster"] = cluster_name(only["destination"], port)
        _join(fields, _header_fields(only.get("headers", {})))
        authority = _authority(rule.get("headers", {})) or _authority(only.get("headers", {}))
    else:
        action["weighted_clusters"] = {"clusters": [_weighted(entry, port) for entry in entries]}
        authority = _authority(rule.get("headers", {}))
    rewrite = rule.get("rewrite", {})
    _rewrite(action, rewrite, item)
    authority = rewrite.get("authority", authority)
    if authority is not None:
        action["host_rewrite_literal"] = authority
    if "retries" in rule:
        action["retry_policy"] = _retries(rule["retries"])
    return {**fields, "route": action}


def cluster_name(destination: Body, port: int) -> str:
    """Return istiod's name for a destination: outbound|PORT|SUBSET|HOST."""
    number = destination.get("port", {}).get("number", port)
    return f"outbound|{number}|{destination.get('subset', '')}|{destination['host']}"


def _weighted(entry: Body, port: int) -> JsonObject:
    weighted: JsonObject = {
        "name": cluster_name(entry["destination"], port),
        "weight": entry.get("weight", 0),
        **_header_fields(entry.get("headers", {})),
    }
    authority = _authority(entry.get("headers", {}))
    if authority is not None:
        weighted["host_rewrite_literal"] = authority
    return weighted


def _is_authority(name: str) -> bool:
    return name.lower() in ("host", ":authority")


def _authority(headers: Body) -> str | None:
    for name, value in headers.get("request", {}).get("set", {}).items():
        if _is_authority(name):
            return str(value)
    return None


def _header_fields(headers: Body) -> JsonObject:
    """Return the mutations of both directions: `set` before `add`, each in the order of names."""
    fields: JsonObject = {}
    for side in ("request", "response"):
        operations = headers.get(side, {})
        changes = [
            {"header": {"key": name, "value": value}, "append_action": action}
            for kind, action in (
                ("set", "OVERWRITE_IF_EXISTS_OR_ADD"),
                ("add", "APPEND_IF_EXISTS_OR_ADD"),
            )
            for name, value in sorted(operations.get(kind, {}).items())
            if not _is_authority(name)
        ]
        if changes:
            fields[f"{side}_headers_to_add"] = changes
        removed = [name for name in operations.get("remove", ()) if not _is_authority(name)]
        if removed:
            fields[f"{side}_headers_to_remove"] = removed
    return fields


def _join(fields: JsonObject, more: JsonObject) -> None:
    for name, changes in more.items():
        fields[name] = [*fields.get(name, ()), *changes]


def _rewrite(action: JsonObject, rewrite: Body, item: Body) -> None:
    if "uriRegexRewrite" in rewrite:
        given = rewrite["uriRegexRewrite"]
        action["regex_rewrite"] = {
            "pattern": {"regex": given["match"]},
            "substitution": given["rewrite"],
        }
    elif "uri" in rewrite:
        if "regex" in (item.get("uri") or {}):
            pattern = {"regex": item["uri"]["regex"]}
            action["regex_rewrite"] = {"pattern": pattern, "substitution": rewrite["uri"]}
        else:
            action["prefix_rewrite"] = rewrite["uri"]


def _redirect(given: Body) -> JsonObject:
    redirect: JsonObject = {}
    if "uri" in given:
        redirect["path_redirect"] = given["uri"]
    if "authority" in given:
        redirect["host_redirect"] = given["authority"]
    if "scheme" in given:
        redirect["scheme_redirect"] = given["scheme"]
    if "port" in given:
        redirect["port_redirect"] = given["port"]
    redirect["response_code"] = _REDIRECT_CODES[given.get("redirectCode", 301)]
    return redirect


def _retries(given: Body) -> JsonObject:
    policy: JsonObject = {"num_retries": given["attempts"]}
    policy["retry_on"] = given.get(
        "retryOn", "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
    )
    if "perTryTimeout" in given:
        policy["per_try_timeout"] = _seconds(given["perTryTimeout"])
    return policy


def _seconds(text: str) -> str:
    """Return a Go duration as protobuf's JSON has it: seconds with a fraction."""
    whole, fraction = divmod(nanoseconds(text), 10**9)
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".") + "s"
