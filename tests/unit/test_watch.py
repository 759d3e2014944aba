"""A watch goes on over lost connections and old versions, and ends when nothing comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pinroute.cluster.api.client import Change, Client, State
from pinroute.cluster.api.failure import Expired, Forbidden, ServerFailed, Unreachable
from pinroute.cluster.api.kinds import VIRTUAL_SERVICE
from pinroute.cluster.api.watch import MOST_FAILURES, Followed, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOSEN = Followed(VIRTUAL_SERVICE, None, "")


def body(name: str, version: str = "1") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "resourceVersion": version}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": metadata,
    }


class Script:
    """A client whose lists and watches are given; it keeps from which versions it was asked."""

    def __init__(self, lists: list[State], watches: list[list[Change | Exception]]) -> None:
        self.lists, self.watches = lists, watches
        self.asked: list[str] = []

    def state(self, *_chosen: object) -> State:
        return self.lists.pop(0)

    def changes(
        self, _kind: object, _namespace: object, _selector: object, version: str, _s: float
    ) -> Iterator[Change]:
        self.asked.append(version)
        if not self.watches:
            raise Forbidden("the script is over")
        for one in self.watches.pop(0):
            if isinstance(one, Exception):
                raise one
            yield one


def names(script: Script) -> list[list[str]]:
    """Return the names that were there, each time that something was told, up to the end."""
    found: list[list[str]] = []

    def read() -> None:
        for bodies in follow(cast("Client", script), CHOSEN, sleep=lambda _seconds: None):
            found.append(sorted(one["metadata"]["name"] for one in bodies))

    with pytest.raises((Forbidden, Unreachable)):
        read()
    return found


def test_it_goes_on_from_where_it_was() -> None:
    script = Script(
        [State([body("a")], "5")],
        [
            [Change("6", body("b")), Change("9", None), Unreachable("gone")],
            [ServerFailed("it starts")],
            [Change("11", body("a"), there=False)],
        ],
    )
    assert names(script) == [["a"], ["a", "b"], ["a", "b"], ["a", "b"], ["b"], ["b"]]
    assert script.asked == ["5", "9", "9", "11"]


def test_what_is_too_old_is_read_again() -> None:
    script = Script(
        [State([body("a")], "5"), State([body("c")], "50")], [[Expired("too old")], []]
    )
    assert names(script) == [["a"], ["c"], ["c"]]
    assert script.asked == ["5", "50", "50"]


def test_it_ends_when_nothing_comes_back() -> None:
    lost: list[list[Change | Exception]] = [[Unreachable("gone")] for _ in range(20)]
    script = Script([State([], "1")], lost)
    names(script)
    assert len(script.asked) == MOST_FAILURES


def test_it_ends_in_time() -> None:
    clock = iter(range(0, 1000, 10))
    script = Script([State([], "1")], [[] for _ in range(20)])
    found = list(follow(cast("Client", script), CHOSEN, 35, now=lambda: float(next(clock))))
    assert 2 <= len(found) <= 4
