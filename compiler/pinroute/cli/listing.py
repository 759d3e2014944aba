"""What `pinroute status` does: the experiments of a cluster, or of files, as they stand there."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pinroute.cli.connection import (
    Chosen,
    connected,
    duration,
    experiments,
    gateways_at,
    namespace_of,
    pass_on,
    tell,
)
from pinroute.cli.exits import Exit, Misuse
from pinroute.cli.inputs import SUFFIXES
from pinroute.cli.terminal import err, out

if TYPE_CHECKING:
    from pinroute.cluster.api.client import Client
    from pinroute.cluster.api.kinds import Body
    from pinroute.cluster.api.watch import Followed
    from pinroute.cluster.gateways import Gateway
    from pinroute.cluster.status import Status
    from pinroute.cluster.view import View
    from pinroute.compilation import Compiled


class Asked(NamedTuple):
    """What is asked of `status`, beside which files and which cluster."""

    names: tuple[str, ...] = ()
    everywhere: bool = False
    watch: bool = False
    timeout: str | None = None
    gateways: tuple[str, ...] = ()
    output: str = "text"


def split(
    words: Sequence[str], filenames: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell files from names of experiments: a file is there, or looks like one."""
    files = [word for word in words if _is_file(word)]
    names = tuple(word for word in words if not _is_file(word))
    if names and (files or filenames):
        raise Misuse(f"{names[0]!r} is no file: name files or experiments, not both")
    return tuple(files), names


def _is_file(word: str) -> bool:
    return word == "-" or word.endswith(SUFFIXES) or os.sep in word or os.path.exists(word)


def status(chosen: Chosen, asked: Asked) -> int:
    """Print the status of what was chosen."""
    found = None
    if chosen.files or chosen.filenames:
        if asked.watch or asked.everywhere:
            raise Misuse("-A and -w are about the experiments of a cluster: name no files")
        found = experiments(chosen)
    if asked.everywhere and chosen.namespace is not None:
        raise Misuse("-A and -n contradict each other")
    if asked.timeout is not None and not asked.watch:
        raise Misuse("--timeout is how long -w watches")
    from pinroute.cluster.api.failure import ClusterFailure

    try:
        client = connected(chosen)
        gateways = gateways_at(asked.gateways)
        if found is not None:
            return _of_specs(found, client, gateways, asked)
        return _of_cluster(chosen, client, gateways, asked)
    except ClusterFailure as failure:
        return tell(failure)


def _of_specs(
    found: "Sequence[Compiled]", client: "Client", gateways: "Sequence[Gateway]", asked: Asked
) -> int:
    from pinroute.cli.workers import side_by_side
    from pinroute.cluster.api.access import CONNECTIONS
    from pinroute.cluster.api.kinds import identity_of
    from pinroute.cluster.status import absent, status_of
    from pinroute.cluster.view import View

    view = View(client)

    def one(compiled: "Compiled") -> "Status":
        what = identity_of(compiled.rendered[0].virtual_service)
        live = view.live(what)
        return status_of(live, view, compiled) if live is not None else absent(compiled, what)

    _print(side_by_side(one, found, CONNECTIONS), gateways, asked)
    pass_on(client, view.unseen())
    return Exit.OK


def _of_cluster(
    chosen: Chosen, client: "Client", gateways: "Sequence[Gateway]", asked: Asked
) -> int:
    from pinroute.cluster.api.kinds import VIRTUAL_SERVICES
    from pinroute.cluster.api.watch import Followed
    from pinroute.cluster.view import View
    from pinroute.manifest.objects import EXPERIMENT, MANAGED_BY

    namespace = None if asked.everywhere else namespace_of(chosen)
    selector = f"{MANAGED_BY}=pinroute"
    if asked.names:
        selector += f",{EXPERIMENT} in ({','.join(sorted(set(asked.names)))})"
    if chosen.selector:
        selector += f",{chosen.selector}"
    served = (kind for kind in VIRTUAL_SERVICES if client.serves(kind))
    followed = Followed(next(served, VIRTUAL_SERVICES[0]), namespace, selector)
    if asked.watch:
        seconds = duration("--timeout", asked.timeout) if asked.timeout is not None else None
        return _watch(client, followed, gateways, asked, seconds)
    view = View(client)
    bodies = client.state(*followed).items
    where = f"namespace {namespace}" if namespace is not None else "any namespace"
    there = _statuses(bodies, view)
    known = {one.experiment[1] for one in there}
    missing = [name for name in asked.names if name not in known]
    if not there and not missing and asked.output == "text":
        err(f"no experiments in {where}\n")
    else:
        _print(there, gateways, asked)
    pass_on(client, view.unseen())
    for name in missing:
        err(f"Error: there is no experiment {name!r} in {where}\n")
    return Exit.NO if missing else Exit.OK


def _statuses(bodies: "Sequence[Body]", view: "View") -> "list[Status]":
    from pinroute.cli.workers import side_by_side
    from pinroute.cluster.api.access import CONNECTIONS
    from pinroute.cluster.status import status_of

    found = side_by_side(lambda body: status_of(body, view), bodies, CONNECTIONS) if bodies else []
    return sorted(found, key=lambda one: (one.service.namespace, one.experiment))


def _watch(
    client: "Client",
    followed: "Followed",
    gateways: "Sequence[Gateway]",
    asked: Asked,
    seconds: float | None,
) -> int:
    """Print all, then each that changes; what is gone is told once."""
    from pinroute.cli.status_report import Columns, gone, row
    from pinroute.cluster.api.watch import follow

    if asked.output == "json":
        raise Misuse("-w prints lines: -o json is for one look")
    widths: Columns | None = None
    before: dict[tuple[str, str], list[str]] = {}
    looked = _Looked(client)
    for bodies in follow(client, followed, seconds):
        found = looked.at(bodies)
        requests = _requests(gateways)
        now = {(one.service.namespace, one.service.name): row(one, requests) for one in found}
        changed = [cells for key, cells in now.items() if _kept(before.get(key)) != _kept(cells)]
        changed += [gone(cells) for key, cells in before.items() if key not in now]
        if asked.output == "name":
            out("".join(f"{cells[1]}\n" for cells in changed))
        elif changed:
            widths = widths or Columns(changed, counted=bool(gateways))
            out(widths.lines(changed))
        before = now
    return Exit.OK


class _Looked:
    """The statuses of a watch: what has changed is looked at anew, now and then all of them."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._known: dict[tuple[str, str, str], Status] = {}
        self._all = 0.0
        self._told: set[str] = set()

    def at(self, bodies: "Sequence[Body]") -> "list[Status]":
        """Return the statuses of VirtualServices; what may not be read is told once."""
        from time import monotonic

        from pinroute.cluster.api.watch import AT_A_TIME
        from pinroute.cluster.view import View

        if monotonic() - self._all >= AT_A_TIME:
            self._known, self._all = {}, monotonic()
        view = View(self._client)
        new = _statuses([body for body in bodies if _version(body) not in self._known], view)
        fresh = {_version(one.live): one for one in new if one.live is not None}
        known = self._known | fresh
        self._known = {_version(body): known[_version(body)] for body in bodies}
        unseen = [text for text in view.unseen() if text not in self._told]
        self._told |= set(unseen)
        pass_on(self._client, unseen)
        return list(self._known.values())


def _version(body: "Body") -> tuple[str, str, str]:
    metadata = body["metadata"]
    return metadata["namespace"], metadata["name"], str(metadata.get("resourceVersion"))


def _kept(cells: list[str] | None) -> list[str] | None:
    """Return what of a row tells of a change: not how old it is, not how many requests came."""
    return cells[:-2] if cells is not None else None


def _requests(gateways: "Sequence[Gateway]") -> dict[str, int] | None:
    """Return the requests of each group, of all gateways together; None if none is asked."""
    if not gateways:
        return None
    found: dict[str, int] = {}
    for one in gateways:
        for group, number in one.counters("upstream_rq_completed").items():
            found[group] = found.get(group, 0) + number
    return found


def _print(found: "Sequence[Status]", gateways: "Sequence[Gateway]", asked: Asked) -> None:
    from pinroute.cli.status_report import Columns, as_json, row

    if asked.output == "name":
        out("".join(f"{one.experiment[1]}\n" for one in found))
        return
    requests = _requests(gateways)
    if asked.output == "json":
        out(as_json(found, requests))
        return
    rows = [row(one, requests) for one in found]
    out(Columns(rows, counted=requests is not None).lines(rows))
    err("".join(f"{line}\n" for one in found for line in _told(one)))


def _told(one: "Status") -> Iterator[str]:
    if one.problem:
        yield one.problem
    if one.shares is not None and one.shares.assumed:
        yield from one.shares.notes[:1]
