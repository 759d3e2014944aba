"""What `verify` prints: a proof, or what a survey of a gateway showed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pinroute.cli.report import dumped
from pinroute.cli.table import columns
from pinroute.probes.probe import Expected, Probe
from pinroute.probes.survey import Survey
from pinroute.probes.tally import Kind, Tally
from pinroute.verification import Meeting, Proof

SHOWN = 20
ALL = ("destination", "host", "version")


class Surveyed(NamedTuple):
    """A survey, what came of it, and what was asked: `who` in words.

    `unsent` are requests that were planned: how many of which sort.
    """

    against: str
    who: str
    envoy: str
    compared: tuple[str, ...]
    sent: Survey
    unsent: tuple[tuple[str, int], ...]
    hashes: int
    tally: Tally
    interrupted: bool = False


class Joined(NamedTuple):
    """What a gateway has for a host: the VirtualServices that claim it, in their order."""

    gateway: str
    host: str
    order: tuple[str, ...]
    proof: Proof


def proof_text(proof: Proof, what: str = "the VirtualService does") -> str:
    """Return a proof for people."""
    compared = f"{proof.blocks:,} kinds of requests stand for {proof.hashes:,} user hashes"
    if not proof.differences:
        return f"{what} what the spec promises ({compared})\n"
    several = any(item.by for item in proof.differences)
    rows = [
        [
            _value(item.value),
            item.group,
            _shown(item.promised),
            _shown(item.found),
            item.found.destination,
            *([item.by or "nobody"] if several else []),
        ]
        for item in proof.differences[:SHOWN]
    ]
    heads = ["WITNESS", "GROUP", "PROMISED", "FOUND", "DESTINATION"]
    heads += ["TAKEN BY"] if several else []
    kinds = len(proof.differences)
    return f"{columns(heads, rows)}{_rest(kinds)}\n{kinds:,} of {compared} differ\n"


def live_text(proof: Proof, joined: Sequence[Joined]) -> str:
    """Return for people what is live: the VirtualService alone, then each host of each gateway.

    What is said of it alone is not repeated where nobody else claims a host.
    """
    text = proof_text(proof, "the live VirtualService does")
    for one in joined:
        text += f"\n{one.host} at {one.gateway}: {_order(one.order)}\n"
        if len(one.order) != 1 or len(one.proof.differences) != len(proof.differences):
            text += proof_text(one.proof, "there users meet")
    return text


def _order(keys: Sequence[str]) -> str:
    if not keys:
        return "no VirtualService is seen there"
    if len(keys) == 1:
        return f"only {keys[0]} claims it"
    return f"first {', then '.join(keys)}"


def live_json(proof: Proof, joined: Sequence[Joined]) -> str:
    """Return what is live as the JSON of schemas/cli/verification.schema.json."""
    places = [
        {
            "gateway": one.gateway,
            "host": one.host,
            "order": one.order,
            "blocks": one.proof.blocks,
            "hashes": one.proof.hashes,
            "differences": _differences(one.proof),
        }
        for one in joined
    ]
    return dumped({**_proof(proof, "cluster"), "joined": places})


def proof_json(proof: Proof) -> str:
    """Return a proof as the JSON of schemas/cli/verification.schema.json."""
    return dumped(_proof(proof, "file"))


def _proof(proof: Proof, against: str) -> dict[str, Any]:
    return {
        "kind": "Verification",
        "against": against,
        "compared": ALL,
        "blocks": proof.blocks,
        "hashes": proof.hashes,
        "differences": _differences(proof),
    }


def _differences(proof: Proof) -> list[dict[str, Any]]:
    return [
        {
            "route": item.route,
            **({"value": item.value} if item.value is not None else {}),
            "absent": item.value is None,
            "group": item.group,
            "promised": item.promised._asdict(),
            "found": item.found._asdict(),
            **({"by": item.by} if item.by else {}),
        }
        for item in proof.differences
    ]


def survey_text(surveyed: Surveyed) -> str:
    """Return for people what a survey showed."""
    tally = surveyed.tally
    text = ""
    if tally.different:
        with_route = any(kind.witness.probe.route for kind in tally.different)
        rows = [_row(kind, with_route) for kind in tally.different[:SHOWN]]
        heads = [
            *(["ROUTE"] if with_route else []),
            *("WITNESS", "KIND", "GROUP", "PROMISED", "FOUND", "REQUESTS"),
        ]
        text = f"{columns(heads, rows)}{_rest(len(tally.different))}\n"
    return text + "".join(f"{line}\n" for line in _sentences(surveyed))


def survey_json(surveyed: Surveyed) -> str:
    """Return what a survey showed as the JSON of schemas/cli/verification.schema.json."""
    tally = surveyed.tally
    body: dict[str, Any] = {
        "kind": "Verification",
        "against": surveyed.against,
        **({"envoy": surveyed.envoy} if surveyed.envoy else {}),
        "compared": surveyed.compared,
        "blocks": len(surveyed.sent.blocks),
        "hashes": surveyed.hashes,
        "differences": [
            {
                **_asked(kind.witness.probe),
                "group": kind.witness.promised.label,
                "promised": _meeting(kind.witness.promised),
                "found": _meeting(kind.witness.found),
                "requests": kind.requests,
            }
            for kind in tally.different
        ],
        "requests": tally.requests,
        "sent": {
            "blocks": len(surveyed.sent.blocks),
            "edges": len(surveyed.sent.edges),
            "oddHeaders": len(surveyed.sent.odd),
        },
        "unsent": [{"what": what, "requests": number} for what, number in surveyed.unsent],
        "unanswered": [
            {
                **_asked(kind.witness.probe),
                "problem": kind.witness.problem,
                "requests": kind.requests,
            }
            for kind in tally.unanswered
        ],
        "serverErrors": tally.failing,
        "leftOut": list(surveyed.sent.left_out),
        "interrupted": surveyed.interrupted,
    }
    return dumped(body)


def _sentences(surveyed: Surveyed) -> list[str]:
    tally, sent = surveyed.tally, surveyed.sent
    parts = ", ".join(plural(len(found), name) for name, found in sent.parts())
    asked = f"({parts}{f'; Envoy {surveyed.envoy}' if surveyed.envoy else ''})"
    requests = plural(tally.requests, "request")
    what = "" if surveyed.compared == ALL else ", as far as the version header tells"
    differing = sum(kind.requests for kind in tally.different)
    if differing:
        first = f"{differing:,} of {requests} differ from the spec"
    elif tally.right and not tally.unanswered and not surveyed.unsent:
        first = f"all {requests} meet what the spec promises"
    else:
        first = f"{tally.right:,} of {requests} meet what the spec promises"
    lines = [f"{surveyed.who}: {first}{what} {asked}"]
    for kind in tally.unanswered:
        witness = _witness(kind.witness.probe)
        number = plural(kind.requests, "request")
        lines.append(f"{kind.witness.problem}: {number}, the first with {witness}")
    if tally.failing:
        number = plural(tally.failing, "request")
        lines.append(f"the right rule, and no good backend behind it: {number} with status 5xx")
    if surveyed.unsent:
        left = ", ".join(plural(number, what) for what, number in surveyed.unsent)
        lines.append(f"not sent: {left}")
    if surveyed.interrupted:
        lines.append("interrupted")
    return lines


def plural(number: int, name: str) -> str:
    """Return a number of things, in words."""
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def _rest(kinds: int) -> str:
    return f"and {kinds - SHOWN:,} more\n" if kinds > SHOWN else ""


def _row(kind: Kind, with_route: bool) -> list[str]:
    probe, found = kind.witness.probe, kind.witness.found
    request = probe.request
    route = f"{probe.route} ({request.method} {request.path})" if probe.route else ""
    promised = kind.witness.promised
    names = promised.name, found.name if found is not None else ""
    if names[0] == names[1] and found is not None:  # then the rest of what was met differs
        names = f"{names[0]} {_place(promised)}", f"{names[1]} {_place(found)}"
    return [
        *([route] if with_route else []),
        _witness(probe),
        probe.who,
        promised.label,
        *names,
        f"{kind.requests:,}",
    ]


def _place(met: Expected) -> str:
    return f"({met.cluster.rsplit('|', 1)[-1]}, Host {met.host})"


def _witness(probe: Probe) -> str:
    return " + ".join(_value(value) for value in probe.values) or _value(None)


def _value(value: str | None) -> str:
    return "<absent>" if value is None else value or '""'


def _shown(meeting: Meeting) -> str:
    return meeting.version or meeting.destination.rsplit("|", 1)[-1]


def _asked(probe: Probe) -> dict[str, Any]:
    single = {"value": probe.values[0]} if len(probe.values) == 1 else {}
    return {
        "route": probe.route,
        "method": probe.request.method,
        "path": probe.request.path,
        "who": probe.who,
        **single,
        "lines": list(probe.values),
        "absent": not probe.values,
    }


def _meeting(met: Expected | None) -> dict[str, str]:
    if met is None:
        return Meeting("", "", "")._asdict()
    return Meeting(met.cluster, met.host, met.version or "")._asdict()
