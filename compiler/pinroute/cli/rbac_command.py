"""pinroute rbac: the Role for each use, with the least rights."""

from collections.abc import Sequence
from typing import Any

import click

from pinroute.cli.compiled import compiled_or_exit
from pinroute.cli.exits import Exit, Misuse, epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.inputs import read_source, read_sources
from pinroute.cli.terminal import out
from pinroute.cluster.rights import USES, Granted, Subject, binding, cluster_wide, granted, role
from pinroute.compilation import Compiled
from pinroute.manifest.dump import dump_all


@click.command(
    "rbac",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Print the Kubernetes rights that each use needs.",
    help="""Print the Kubernetes rights that each use needs: Roles, and who gets them.

    With a spec there is a Role in each namespace that the experiment touches, and rights to
    read and change objects name just its objects. Without one, all is in one namespace.
    Never Secrets. A comment tells which rights are not needed: without them the commands say
    what they could not look at, and go on.

    \b
      pinroute rbac --for apply -n shop --serviceaccount ci:deployer | kubectl apply -f -
      pinroute rbac --for apply --for prune -f experiment.yaml --user jane@example.com
      pinroute rbac --for status -n shop --cluster-wide --group sre
    """,
)
@click.option(
    "--for",
    "uses",
    multiple=True,
    type=click.Choice(USES),
    help="What will be done; can be repeated.  [default: apply]",
)
@click.option("-f", "--filename", "filenames", multiple=True, metavar="FILE", help="A spec.")
@click.option("--env", "environment", metavar="FILE", help="An Environment, for specs.")
@click.option(
    "-n", "--namespace", metavar="NAME", help="The namespace, without a spec.  [default: default]"
)
@click.option("--name", metavar="NAME", help="The name of the Roles.  [default: pinroute-USE]")
@click.option("--serviceaccount", metavar="NAMESPACE:NAME", help="Who gets the rights.")
@click.option("--user", metavar="NAME", help="Who gets the rights.")
@click.option("--group", metavar="NAME", help="Who gets the rights.")
@click.option(
    "--cluster-wide",
    "everywhere",
    is_flag=True,
    help="Also a ClusterRole to list the VirtualServices of all namespaces.",
)
def command(
    uses: tuple[str, ...],
    filenames: tuple[str, ...],
    environment: str | None,
    namespace: str | None,
    name: str | None,
    serviceaccount: str | None,
    user: str | None,
    group: str | None,
    everywhere: bool,
) -> int:
    """Print Roles."""
    chosen = uses or ("apply",)
    name = name or f"pinroute-{'-'.join(dict.fromkeys(chosen))}"
    subject = _subject(serviceaccount, user, group)
    if filenames and namespace is not None:
        raise Misuse("-n is for rights without a spec: a spec names its namespaces")
    found: dict[Granted, None] = {}
    for compiled in _experiments(filenames, environment) if filenames else [None]:
        found |= dict.fromkeys(granted(chosen, compiled, namespace or "default"))
    _print(list(found), name, subject, tuple(dict.fromkeys(chosen)), everywhere)
    return Exit.OK


def _experiments(filenames: Sequence[str], environment: str | None) -> Sequence[Compiled]:
    sources, unread = read_sources((), filenames)
    overlay = read_source(environment, unread) if environment is not None else None
    compilation = compiled_or_exit(sources, unread, environment=overlay)
    if not compilation.experiments:
        raise Misuse("the files hold no experiment")
    return compilation.experiments


def _print(
    found: Sequence[Granted],
    name: str,
    subject: Subject | None,
    uses: Sequence[str],
    everywhere: bool,
) -> None:
    spare = [one.shown for one in found if not one.needed]
    out(f"# What pinroute {', '.join(uses)} may do.\n")
    if spare:
        out(f"# Not needed, but without it less is seen: {', '.join(dict.fromkeys(spare))}.\n")
    objects: list[dict[str, Any]] = []
    for where in sorted({one.namespace for one in found}):
        objects.append(role(name, where, [one for one in found if one.namespace == where]))
        if subject is not None:
            objects.append(binding(name, where, subject))
    if everywhere:
        objects += cluster_wide(name, uses, subject)
    out(dump_all(objects))


def _subject(account: str | None, user: str | None, group: str | None) -> Subject | None:
    given = [one for one in (account, user, group) if one is not None]
    if len(given) > 1:
        raise Misuse("--serviceaccount, --user and --group: name one of them")
    if account is not None:
        namespace, colon, name = account.partition(":")
        if not (namespace and colon and name):
            raise Misuse(f"--serviceaccount {account!r}: write NAMESPACE:NAME")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    api = "rbac.authorization.k8s.io"
    if user is not None:
        return {"apiGroup": api, "kind": "User", "name": user}
    if group is not None:
        return {"apiGroup": api, "kind": "Group", "name": group}
    return None
