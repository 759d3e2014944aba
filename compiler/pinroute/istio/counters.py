"""How the counters of an experiment are called: the statPrefix of its match items.

    pin_<id>_g<generation>v<K>_<label>[_b<NNN>]

`id` is 8 hex digits of SHA-256 of namespace/name, `label` the group (or `fallback`,
`promote-v2` …) and NNN the number of its bucket. K is the place of the version that
answers: Envoy keeps a counter over changes of its route, so one name for two versions
would mix them. A bucket that keeps its version keeps its name, and is counted on.
Only [a-z0-9_], because Prometheus makes one name of all that differs in other
characters.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pinroute.spec.digest import digest_of
from pinroute.spec.model import Experiment, VersionName

# Every statPrefix of every experiment, and its parts: id, generation, version, label, bucket.
PATTERN = "pin_[0-9a-f]{8}_g[0-9]+v[0-9]+_[a-z0-9_]+"
PARTS = "pin_([0-9a-f]{8})_g([0-9]+)v([0-9]+)_([a-z0-9_]+?)(?:_b([0-9]{3,5}))?"

_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


class Counters(NamedTuple):
    """The names of the counters of one experiment: versions by their place, digits of a bucket."""

    id: str
    generation: int
    versions: Mapping[VersionName, int]
    width: int

    def stat_prefix(self, label: str, version: VersionName, bucket: int | None = None) -> str:
        """Return the statPrefix of what meets a version under a label."""
        place = self.versions[version]
        name = f"pin_{self.id}_g{self.generation}v{place}_{spelt(label)}"
        return name if bucket is None else f"{name}_b{bucket:0{self.width}d}"

    def is_bucket(self, stat_prefix: str) -> bool:
        """Tell whether a statPrefix is that of a bucket of the experiment."""
        number = stat_prefix.rpartition("_b")[2]
        ours = stat_prefix.startswith(f"pin_{self.id}_")
        return ours and len(number) == self.width and number.isdigit()


def counters_of(experiment: Experiment) -> Counters:
    """Return how the counters of an experiment are called."""
    identity = f"{experiment.namespace or 'default'}/{experiment.name}"
    versions = {version.name: place for place, version in enumerate(experiment.versions, 1)}
    width = max(3, len(str((experiment.buckets or 1) - 1)))
    return Counters(digest_of(identity)[:8], experiment.generation, versions, width)


def spelt(label: str) -> str:
    """Return a label as it is spelt in the name of a counter."""
    return "".join(char if char in _CHARACTERS else "_" for char in label.lower())
