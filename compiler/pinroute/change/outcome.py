"""What a rule of a VirtualService does with a request: to which version, or what else."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from pinroute.change.model import UNROUTED
from pinroute.change.serving import Serving
from pinroute.istio.read import read_rules
from pinroute.istio.resource import Fields, full_host
from pinroute.spec.promotion import UPDATE, kind_of, promotion_of
from pinroute.stages.actions import version_action
from pinroute.stages.parts import Part
from pinroute.stages.promotion import baseline_place


class Destination(NamedTuple):
    """Where requests of a version go. `authority` is the Host that they are given, if any."""

    host: str
    port: int | None
    subset: str
    authority: str

    def __str__(self) -> str:
        """Return it as `lookup` shows destinations."""
        text = self.host if self.port is None else f"{self.host}:{self.port}"
        text += f" subset {self.subset}" if self.subset else ""
        return text + (f" as {self.authority}" if self.authority else "")


class Outcome(NamedTuple):
    """Versions with the part of the requests that each gets; one alone is sticky."""

    parts: tuple[tuple[Destination | str, Fraction], ...]


LOST = Outcome(((UNROUTED, Fraction(1)),))


def outcome(fields: Fields, owner: Serving) -> Outcome:
    """Return what a rule does. Timeouts, retries, faults, mirrors and headers are left out."""
    found = [(destination(entry, fields, owner), part) for entry, part in weighted(fields)]
    return _of_parts(found or [(other(fields), Fraction(1))])


def _of_parts(found: Iterable[tuple[Destination | str, Fraction]]) -> Outcome:
    parts: dict[Destination | str, Fraction] = {}
    for where, part in found:
        parts[where] = parts.get(where, Fraction(0)) + part
    return Outcome(tuple(sorted(parts.items(), key=lambda part: (-part[1], str(part[0])))))


def weighted(fields: Fields) -> list[tuple[Fields, Fraction]]:
    """Return the entries of `route` that get requests, each with its part of them."""
    entries = fields.get("route") or ()
    total = sum(_weight(entry, len(entries)) for entry in entries)
    return [
        (entry, Fraction(_weight(entry, len(entries)), total))
        for entry in entries
        if _weight(entry, len(entries))
    ]


def _weight(entry: Mapping[str, Any], entries: int) -> int:
    return int(entry.get("weight") or 0) if entries > 1 else 1


def other(fields: Fields) -> str:
    """Return what a rule does that sends requests nowhere in the cluster."""
    if "redirect" in fields:
        to = fields["redirect"] or {}
        scheme = f"{to['scheme']}://" if to.get("scheme") else ""
        return f"redirect to {scheme}{to.get('authority', '')}{to.get('uri', '')}"
    if "directResponse" in fields:
        return f"answer {(fields['directResponse'] or {}).get('status', '')}"
    if "delegate" in fields:
        to = fields["delegate"] or {}
        return f"delegate {to.get('namespace', '')}/{to.get('name', '')}"
    return UNROUTED


def destination(entry: Mapping[str, Any], fields: Fields, owner: Serving) -> Destination:
    """Return where an entry of `route` sends a request."""
    found = entry.get("destination") or {}
    return Destination(
        full_host(str(found.get("host") or ""), owner.namespace, owner.cluster_domain).lower(),
        (found.get("port") or {}).get("number"),
        str(found.get("subset") or ""),
        _authority(entry, fields),
    )


def _authority(entry: Mapping[str, Any], fields: Fields) -> str:
    """Return the Host that a rule gives to a request; the rule's wins over the destination's."""
    found = ""
    for headers in (entry.get("headers") or {}, fields.get("headers") or {}):
        for name, text in ((headers.get("request") or {}).get("set") or {}).items():
            if str(name).lower() in ("host", ":authority"):
                found = str(text)
    return str((fields.get("rewrite") or {}).get("authority") or found)


class Names:
    """How destinations are called: by the spec's version where there is one, else by themselves.

    A destination without a port is the one with a port, if only one port of that host and
    subset is named.
    """

    def __init__(self, servings: Iterable[Serving]) -> None:
        self._versions: dict[Destination, str] = {}
        known: set[Destination] = set()
        for one in servings:
            for rule in read_rules(one.service):
                for entry in rule.fields.get("route") or ():
                    known.add(destination(entry, rule.fields, one))
            for where, version in _versions(one):
                self._versions.setdefault(where, version)
        known |= set(self._versions)
        ports: dict[Destination, set[int]] = {}
        for where in known:
            if where.port is not None:
                ports.setdefault(where._replace(port=None), set()).add(where.port)
        self._ports = {where: min(found) for where, found in ports.items() if len(found) == 1}
        self._versions = {self._whole(where): name for where, name in self._versions.items()}

    @property
    def versions(self) -> frozenset[str]:
        """The names of the specs' versions."""
        return frozenset(self._versions.values())

    def _whole(self, where: Destination) -> Destination:
        return where._replace(port=self._ports.get(where, where.port))

    def named(self, found: Outcome) -> Outcome:
        """Return an outcome by the names of versions."""
        return _of_parts((self.name(where), part) for where, part in found.parts)

    def name(self, where: Destination | str) -> str:
        """Return how a destination is called."""
        if isinstance(where, str):
            return where
        whole = self._whole(where)
        return self._versions.get(whole, str(whole))


def _versions(one: Serving) -> Iterator[tuple[Destination, str]]:
    """Yield the destinations of a spec's versions, those of the live stage first."""
    if one.compiled is None:
        return
    experiment, stage = one.compiled.checked.spec.experiment, one.compiled.stages[0]
    for route, table in stage.tables.items():
        names = {
            leaf.outcome: leaf.attribution.version
            for leaf in table.leaves
            if isinstance(leaf.attribution, Part)
        }
        actions = {item.action.outcome: item.action for item in stage.routes.of_route(route)}
        for found, act in actions.items():
            if found in names:
                yield destination(act.fields["route"][0], act.fields, one), names[found]
    promotion = promotion_of(stage.name)
    if promotion is not None and kind_of(experiment, promotion) == UPDATE:
        # Nobody is sent to the baseline's place, and it serves the winner.
        winner = experiment.versions[promotion.version - 1]
        place = baseline_place(experiment, winner)
        fields = version_action(experiment, None, winner, place).fields
        yield destination(fields["route"][0], fields, one), winner.name
    for version in experiment.versions:
        fields = version_action(experiment, None, version, version).fields
        yield destination(fields["route"][0], fields, one), version.name


def shown(found: Outcome) -> str:
    """Return an outcome as people read it; a split is told by its shares."""
    if len(found.parts) == 1:
        return str(found.parts[0][0])
    return "split " + ", ".join(f"{_percent(part)} {name}" for name, part in found.parts)


def _percent(part: Fraction) -> str:
    return f"{float(part * 100):.4g}%"


def least_moved(before: Outcome, after: Outcome) -> Fraction:
    """Return the least part of the requests that go elsewhere: one less what both have."""
    now = dict(after.parts)
    kept = (min(part, now.get(name, Fraction(0))) for name, part in before.parts)
    return 1 - sum(kept, Fraction(0))


def returns_to(baseline: str, before: Outcome, after: Outcome) -> bool:
    """Tell whether a version gets more of the requests than before."""
    return dict(after.parts).get(baseline, Fraction(0)) > dict(before.parts).get(
        baseline, Fraction(0)
    )
