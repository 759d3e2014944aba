"""What has to be true before the next phase begins; somebody with a cluster asks.

Places are called as `state.place_name` calls them.
"""

from typing import NamedTuple


class Ready(NamedTuple):
    """The place is ready, and really serves this version, with all of its replicas."""

    place: str
    version: str

    def __str__(self) -> str:
        """Return what is waited for."""
        return f"{self.place} is ready and serves {self.version}"


class Scaled(NamedTuple):
    """The place has at least as many ready replicas as another one."""

    place: str
    like: str

    def __str__(self) -> str:
        """Return what is waited for."""
        return f"{self.place} has as many replicas as {self.like}"


class RoutedEverywhere(NamedTuple):
    """Every gateway that can be asked has the rules of this digest."""

    digest: str

    def __str__(self) -> str:
        """Return what is waited for."""
        return f"every gateway has the table {self.digest}"


class Warm(NamedTuple):
    """The place answers as fast as it will: it was sent requests of its own."""

    place: str

    def __str__(self) -> str:
        """Return what is waited for."""
        return f"{self.place} is warm"


class Restored(NamedTuple):
    """The place asks for the replicas that it asked for before the first phase."""

    place: str

    def __str__(self) -> str:
        """Return what is waited for."""
        return f"{self.place} has the scale that it had before"


Gate = Ready | Scaled | RoutedEverywhere | Warm | Restored
