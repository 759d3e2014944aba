"""`verify --against cluster`: what is live is fetched, and proved alone and with its neighbours."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pinroute.cli.connection import Chosen, connected, pass_on, tell
from pinroute.cli.exits import Exit, Misuse
from pinroute.cli.terminal import err, out
from pinroute.cli.verify_report import Joined, live_json, live_text
from pinroute.compilation import Compiled
from pinroute.verification import Unprovable, verify

if TYPE_CHECKING:
    from pinroute.cluster.api.client import Client


def against_cluster(compiled: Compiled, connection: Mapping[str, Any], output: str) -> int:
    """Prove the live VirtualService of an experiment, and what gateways make of it."""
    from pinroute.cluster.api.failure import ClusterFailure

    experiment = compiled.checked.spec.experiment
    chosen = Chosen(**connection)
    if chosen.namespace not in (None, experiment.namespace or "default"):
        raise Misuse(
            f"experiment {experiment.name} is of namespace {experiment.namespace or 'default'!r}, "
            f"--namespace says {chosen.namespace!r}: set metadata.namespace, or leave it out"
        )
    try:
        return _verify(compiled, connected(chosen), output)
    except ClusterFailure as failure:
        return tell(failure)


def _verify(compiled: Compiled, client: "Client", output: str) -> int:
    from pinroute.cluster.api.kinds import identity_of
    from pinroute.cluster.deployment import document_of
    from pinroute.cluster.neighbours import joined_at
    from pinroute.cluster.view import View

    what = identity_of(compiled.rendered[0].virtual_service)
    view = View(client)
    live = view.live(what)
    if live is None:
        err(f"there is no {what.key} in the cluster\n")
        return Exit.NO
    try:
        proof = verify(compiled, document_of(live))
        joined: Sequence[Joined] = [Joined(*one) for one in joined_at(compiled, live, view)]
    except Unprovable as error:
        raise Misuse(f"live {what.key}: {error}") from None
    out(live_json(proof, joined) if output == "json" else live_text(proof, joined))
    pass_on(client, view.unseen())
    wrong = [one for one in (proof, *(place.proof for place in joined)) if one.differences]
    return Exit.NO if wrong else Exit.OK
