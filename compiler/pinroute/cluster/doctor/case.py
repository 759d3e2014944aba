"""What `doctor` looks at: an experiment in a cluster."""

from collections.abc import Sequence
from typing import NamedTuple

from pinroute.cluster.api.client import Client
from pinroute.cluster.api.kinds import Body, Identity, identity_of
from pinroute.cluster.gateways import Gateway
from pinroute.cluster.view import View
from pinroute.compilation import Compiled


class Case(NamedTuple):
    """An experiment, the cluster, and what was read of it; `use` is what has to be allowed."""

    compiled: Compiled
    client: Client
    view: View
    use: str | None
    asked: Sequence[Gateway]

    @property
    def service(self) -> Identity:
        """The experiment's VirtualService."""
        return identity_of(self.compiled.rendered[0].virtual_service)

    @property
    def live(self) -> Body | None:
        """It as it is in the cluster; raises Unseen."""
        return self.view.neighbour(self.service)
