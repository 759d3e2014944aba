"""`verify --against envoy | URL`: the survey is sent, and what comes back is counted."""

from typing import NamedTuple

from pinroute.cli.exits import Exit, Misuse
from pinroute.cli.gateway_headers import header_lines
from pinroute.cli.terminal import err, out
from pinroute.cli.verify_report import ALL, Surveyed, plural, survey_json, survey_text
from pinroute.compilation import Compiled
from pinroute.istio.resource import covers
from pinroute.probes.probe import Probe
from pinroute.probes.survey import Survey, survey
from pinroute.probes.tally import Reply, Tally

RATE, TIMEOUT, MOST = 50.0, 10.0, 2000


class GatewayOptions(NamedTuple):
    """The options of the command line about requests; None is not given."""

    host: str | None
    resolve: str | None
    rate: float | None
    timeout: float | None
    headers: tuple[str, ...]
    cacert: str | None
    insecure: bool
    most: int | None
    joined: bool


def against_envoy(compiled: Compiled, options: GatewayOptions, output: str) -> int:
    """Send the survey through an Envoy on this machine."""
    from pinroute.istio.envoy import Untranslatable
    from pinroute.local.binary import EnvoyError, envoy_binary, envoy_version
    from pinroute.local.trial import gateway_for, send

    host = _host(compiled, options.host, "") or compiled.checked.spec.experiment.route.hosts[0]
    whole = _survey(compiled, host, options)
    sent = whole if options.most is None else whole.first(options.most)
    tally = Tally()
    try:
        version = envoy_version(envoy_binary())
        with gateway_for({"verify": compiled}, joined=options.joined) as gateway:
            for seen in send(compiled, gateway.port("verify"), sent.probes()):
                tally.add(Reply(seen.probe, seen.probe.expected, seen.seen))
    except EnvoyError as error:
        err(f"pinroute: {error}\n")
        return Exit.BACKEND
    except Untranslatable as error:
        raise Misuse(
            f"a route uses {error.field!r}, which is not shown on a local Envoy"
        ) from None
    surveyed = Surveyed(
        against="envoy",
        who="Envoy",
        envoy=version,
        compared=ALL,
        sent=sent,
        unsent=_unsent(whole, sent),
        hashes=whole.hashes,
        tally=tally,
    )
    return _finish(surveyed, output)


def against_gateway(compiled: Compiled, url: str, options: GatewayOptions, output: str) -> int:
    """Send the survey to a live gateway."""
    from ssl import SSLError

    from pinroute.gateway.address import BadAddress, address
    from pinroute.gateway.client import Client, Unreachable, tls_context
    from pinroute.gateway.inquiry import Pace, inquire

    experiment = compiled.checked.spec.experiment
    _refuse(compiled)
    try:
        where = address(url, options.resolve)
    except BadAddress as error:
        raise Misuse(str(error)) from None
    if not where.tls and (options.cacert or options.insecure):
        raise Misuse("--cacert and --insecure-skip-tls-verify are for https:// URLs")
    host = _host(compiled, options.host, where.host)
    if host is None:
        names = ", ".join(experiment.route.hosts)
        raise Misuse(f"name a host with --host: the spec has only a wildcard ({names})")
    headers = header_lines(options.headers, compiled)
    whole = _survey(compiled, host, options, tls=where.tls)
    sent = whole.first(MOST if options.most is None else options.most)
    probes = sent.probes()
    try:
        context = tls_context(options.cacert, verify=not options.insecure) if where.tls else None
    except SSLError:
        raise Misuse(f"--cacert {options.cacert}: the file holds no certificates") from None
    except OSError as error:
        raise Misuse(f"--cacert {options.cacert}: {error.strerror or error}") from None
    rate = RATE if options.rate is None else options.rate
    err(f"{_announcement(probes, str(where), host, rate)}\n")
    tally = Tally()
    interrupted = False
    with Client(where, context, options.timeout or TIMEOUT) as client:
        replies = inquire(
            client,
            probes,
            hash_header=experiment.user_hash.source.name,
            version_header=experiment.output.version_header,
            headers=headers,
            pace=Pace(rate),
        )
        try:
            for reply in replies:
                tally.add(reply)
        except KeyboardInterrupt:
            interrupted = True
        except Unreachable as error:
            err(f"pinroute: {where}: {error}\n")
            return Exit.BACKEND
    done = sent.first(tally.requests)
    surveyed = Surveyed(
        against="gateway",
        who=str(where),
        envoy="",
        compared=("version",),
        sent=done,
        unsent=_unsent(whole, done),
        hashes=whole.hashes,
        tally=tally,
        interrupted=interrupted,
    )
    return _finish(surveyed, output)


def _finish(surveyed: Surveyed, output: str) -> int:
    for reason in surveyed.sent.left_out:
        err(f"not compared: {reason}\n")
    out(survey_json(surveyed) if output == "json" else survey_text(surveyed))
    tally = surveyed.tally
    if surveyed.interrupted:
        return Exit.INTERRUPTED
    if tally.different:
        return Exit.NO
    return Exit.BACKEND if tally.unanswered else Exit.OK


def _refuse(compiled: Compiled) -> None:
    """Stop where a live gateway cannot be asked at all."""
    experiment = compiled.checked.spec.experiment
    if experiment.user_hash.source.kind == "claim":
        raise Misuse(
            "the user hash is a claim: requests to a live gateway would need tokens that its "
            "issuer has signed; --against envoy has an issuer of its own"
        )
    if not experiment.output.version_header:
        raise Misuse(
            "the spec turns output.versionHeader off, and nothing else in a reply tells which "
            "rule took the request; compare the VirtualService itself: --against FILE"
        )


def _survey(
    compiled: Compiled, host: str, options: GatewayOptions, *, tls: bool = False
) -> Survey:
    found = survey(compiled, host, tls=tls, joined=options.joined)
    if not found.blocks:
        raise Misuse(f"there is nothing to ask for: {'; '.join(found.left_out)}")
    return found


def _unsent(whole: Survey, sent: Survey) -> tuple[tuple[str, int], ...]:
    pairs = zip(whole.parts(), sent.parts(), strict=True)
    counts = ((name, len(planned) - len(done)) for (name, planned), (_, done) in pairs)
    return tuple((name, number) for name, number in counts if number)


def _announcement(probes: list[Probe], where: str, host: str, rate: float) -> str:
    methods = ", ".join(dict.fromkeys(probe.request.method for probe in probes))
    pace = f"at most {rate:g} a second" if rate else "as fast as it answers"
    return f"sending {plural(len(probes), 'request')} ({methods}) to {where} as {host}, {pace}"


def _host(compiled: Compiled, wanted: str | None, addressed: str) -> str | None:
    """Return the host to ask for: the one wanted, that of the URL, or the spec's first."""
    hosts = compiled.checked.spec.experiment.route.hosts
    if wanted is not None:
        if not any(_serves(host, wanted) for host in hosts):
            raise Misuse(f"--host: {wanted!r} is none of the spec's hosts: {', '.join(hosts)}")
        return wanted
    if addressed and any(_serves(host, addressed) for host in hosts if host != "*"):
        return addressed
    return next((host for host in hosts if "*" not in host), None)


def _serves(host: str, name: str) -> bool:
    """Tell whether a host of a VirtualService, perhaps a wildcard, takes a name."""
    if "*" in name or not name or any(char.isspace() or char in "/:@" for char in name):
        return False
    return covers(host, name) and len(name) >= len(host)
