"""Questions of `doctor` about what stands behind the rules, who looks after them, what they cost."""

from collections.abc import Iterator

from pinroute.cluster.api.kinds import SERVICE, identity_of
from pinroute.cluster.backends import READY, backend_of
from pinroute.cluster.backends import UNKNOWN as NOT_KNOWN
from pinroute.cluster.doctor.answer import OK, PROBLEM, UNKNOWN, WARNING, Answer
from pinroute.cluster.doctor.case import Case
from pinroute.cluster.neighbours import gateways_of
from pinroute.cluster.owner import experiment_of, owners
from pinroute.manifest.observability import series
from pinroute.manifest.relabelling import HISTOGRAM
from pinroute.platforms.naming import inference_service_of, service_name


def names(case: Case) -> Iterator[Answer]:
    """Ask whether Services are called as the platform's release calls them."""
    experiment = case.compiled.checked.spec.experiment
    platform = experiment.environment.platform
    for version in experiment.versions:
        own = version.inference_service
        if own is None or platform is None:
            continue
        name = service_name(own, platform)
        release = f"{platform.kind} {platform.version}"
        question = "service names"
        if case.view.service(own.namespace, name) is not None:
            yield Answer(question, OK, f"{own.namespace}/{name}, as {release} calls it")
            continue
        there = [
            identity_of(body).name
            for body in case.view.within(SERVICE, own.namespace)
            if inference_service_of(identity_of(body).name) == own.name
        ]
        if there:
            yield Answer(
                question,
                PROBLEM,
                f"{release} calls the Service of {version.name} {own.namespace}/{name}; there is "
                f"{', '.join(there)}",
                "set the release that runs in environment, or inferenceService.service",
            )
        else:
            yield Answer(
                question,
                PROBLEM,
                f"there is no Service {own.namespace}/{name} for {version.name}",
                "is the InferenceService there, and ready?",
            )


def backends(case: Case) -> Iterator[Answer]:
    """Ask whether all versions that the stage uses take requests."""
    from pinroute.change.serving import serving
    from pinroute.change.shares import shares_of

    experiment = case.compiled.checked.spec.experiment
    state = serving(case.compiled)
    found = shares_of(state, state, experiment.output.version_header)
    domain = experiment.environment.cluster_domain
    for version, places in found.places.items():
        for where in places:
            backend = backend_of(where, case.view, domain)
            detail = f"{version}: {backend.object or backend.place} is {backend.state}"
            if backend.state == READY:
                yield Answer("backends", OK, detail)
            elif backend.state == NOT_KNOWN:
                yield Answer("backends", UNKNOWN, detail, "look at it where it runs")
            else:
                hint = "bring it up before the route that names it; apply refuses it until then"
                yield Answer("backends", PROBLEM, detail, hint)


def ownership(case: Case) -> Iterator[Answer]:
    """Ask who looks after the VirtualService beside us."""
    live = case.live
    if live is None:
        yield Answer("owner", OK, "nobody yet")
        return
    known = owners(live)
    git = [owner.shown for owner in known if owner.syncs_git]
    shown = ", ".join(owner.shown for owner in known) or "pinroute"
    if git:
        yield Answer(
            "owner",
            WARNING,
            f"synced from Git by {', '.join(git)}",
            "change it in Git: 'pinroute compile -d' writes what is synced",
        )
    elif experiment_of(live) is None:
        yield Answer(
            "owner",
            WARNING,
            f"not pinroute's: it is looked after by {shown}",
            "'pinroute apply --adopt' takes it over",
        )
    else:
        yield Answer("owner", OK, shown)


def cost(case: Case) -> Iterator[Answer]:
    """Tell how many routes and series the stage makes."""
    items = case.compiled.stages[0].routes.items
    counted = {item.stat_prefix for item in items if item.stat_prefix is not None}
    found = series(len(counted), HISTOGRAM)
    yield Answer(
        "cost",
        OK,
        f"{_many(len(items), 'route')} at {_many(len(gateways_of(case.compiled)), 'gateway')}; "
        f"{found.least} to {found.most} series of {_many(len(counted), 'statPrefix')} in each of "
        "their pods",
    )


def _many(number: int, what: str) -> str:
    """Return a number and a noun, in the plural for all but one."""
    if number == 1:
        return f"{number} {what}"
    return f"{number} {what}{'es' if what.endswith('x') else 's'}"
