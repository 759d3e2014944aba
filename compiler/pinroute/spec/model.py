"""The resolved experiment: every default filled in, every reference still by name.

NamedTuples, because they are on the start path. The place of a field in the user's
text is its path in the document; `Document.span` finds it when it is needed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, NewType

GroupName = NewType("GroupName", str)
VersionName = NewType("VersionName", str)

Body = Mapping[str, Any]  # a piece of another API's object, passed through as it is


class HashSource(NamedTuple):
    """Where the user hash is read: a request header or a claim of a verified JWT."""

    kind: str
    name: str


class UserHash(NamedTuple):
    """How a user hash looks. `alphabet` holds the characters themselves, in order."""

    source: HashSource
    alphabet: str
    digits: int
    strict: bool
    trust: str


class HeaderOps(NamedTuple):
    """What is done to the headers of a request or a response."""

    set: Mapping[str, str]
    add: Mapping[str, str]
    remove: tuple[str, ...]


NO_HEADERS = HeaderOps({}, {}, ())


class InferenceService(NamedTuple):
    """A KFServing or KServe backend. `service` overrides the name of its Service."""

    name: str
    namespace: str
    service: str | None
    manifest: str | None
    predictor: Body | None
    transformer: Body | None


class Service(NamedTuple):
    """A Kubernetes Service, or one subset of it."""

    host: str
    port: int | None
    subset: str | None
    labels: Mapping[str, str]
    destination_rule: str | None


class Version(NamedTuple):
    """One variant: exactly one of the two backends, and the headers that go with it."""

    name: VersionName
    inference_service: InferenceService | None
    service: Service | None
    request: HeaderOps
    response: HeaderOps
    rewrite: Body | None


class SlotBounds(NamedTuple):
    """The part of the universe that a group owns, in percent; filled from `start` towards `end`."""

    start: float
    end: float


class Group(NamedTuple):
    """A named set of users that is sent to one version: given by prefixes or by a share.

    A share is `percent` of all users, or grows over the rungs of `ramp`.
    """

    name: GroupName
    version: VersionName
    prefixes: tuple[str, ...]
    percent: float | None = None
    slot: SlotBounds | None = None
    ramp: tuple[float, ...] = ()

    @property
    def by_share(self) -> bool:
        """Whether the users are given by a share."""
        return self.percent is not None or bool(self.ramp)


class Analysis(NamedTuple):
    """Which groups are compared; None or empty where the spec does not say."""

    control: GroupName | None
    treatments: tuple[GroupName, ...]


NO_ANALYSIS = Analysis(None, ())


class Fallback(NamedTuple):
    """Where requests go that are in no group, carry no hash, or a malformed one."""

    unassigned: VersionName
    no_hash: VersionName
    malformed: VersionName | None


class HttpRoute(NamedTuple):
    """One entry of `route.http`: requests that take part, or a raw rule passed through."""

    name: str
    match: tuple[Body, ...]
    timeout: str | None
    retries: Body | None
    raw: Body | None


class Route(NamedTuple):
    """The VirtualService to make. Without `http` entries every request takes part.

    With `delegate` it has no hosts and gateways of its own: a root VirtualService of
    somebody else, which has them, hands requests on to it. With `splice` it is somebody
    else's, in `file`, and receives the rules of the experiment among its own.
    """

    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    name: str
    namespace: str
    http: tuple[HttpRoute, ...]
    delegate: bool = False
    splice: bool = False
    file: str | None = None


class Platform(NamedTuple):
    """The serving platform of InferenceServices: `kserve` or `kfserving`, and its release."""

    kind: str
    version: str
    mode: str


class Environment(NamedTuple):
    """What differs by cluster."""

    istio_api_version: str
    platform: Platform | None
    cluster_domain: str
    local_gateway_host: str
    local_gateway_port: int


class Output(NamedTuple):
    """The switches of what is written."""

    rules: str
    rule_names: bool
    stat_prefixes: bool
    labels: bool
    ports: bool
    version_header: str
    vary: bool
    iter8_experiment: bool
    tolerance: float
    max_rules: int | None


class Experiment(NamedTuple):
    """A resolved AffinityExperiment. `extra` holds what is handed on to Iter8."""

    name: str
    namespace: str | None
    stage: str
    generation: int
    target: str | None
    environment: Environment
    route: Route
    user_hash: UserHash
    versions: tuple[Version, ...]
    baseline: VersionName
    groups: tuple[Group, ...]
    fallback: Fallback
    buckets: int | None
    analysis: Analysis
    promotion: str | None
    rotation: str | None
    output: Output
    extra: Body

    def version(self, name: str) -> Version:
        """Return a version by its name; KeyError where there is none."""
        for version in self.versions:
            if version.name == name:
                return version
        raise KeyError(name)

    @property
    def arms(self) -> tuple[GroupName, ...]:
        """The groups that are compared: those of `analysis`, each half of it all others by default."""
        control, treatments = self.analysis
        names = tuple(group.name for group in self.groups)
        if control is None or not treatments:
            return names
        return tuple(name for name in names if name == control or name in treatments)
