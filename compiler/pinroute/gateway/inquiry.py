"""Probes sent to a live gateway, and what the replies say about the rule that took them.

Which backend answered is not to be seen. The evidence is the version header: the rule
sets it, whatever the backend answers. Without it, a 404 is a request that no rule takes;
401, 403, 407, 429 and 5xx tell nothing, because the gateway answers so by itself too.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pinroute import __version__
from pinroute.gateway.client import Answer, Client, NoAnswer, Unreachable
from pinroute.probes.probe import Expected, Probe
from pinroute.probes.tally import Reply

MOST_SILENT = 5  # so many requests in a row without an answer, and no more are sent
_SILENT_STATUSES = (401, 403, 407, 429)
_SHOWN = 100


@dataclass(slots=True)
class Pace:
    """At most `rate` requests a second, evenly; 0 is without a limit."""

    rate: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = field(default=0.0)

    def wait(self) -> None:
        """Wait until the next request may be sent; what was missed is not made up for."""
        if self.rate <= 0:
            return
        now = self.now()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + 1 / self.rate


def inquire(
    client: Client,
    probes: Sequence[Probe],
    *,
    hash_header: str,
    version_header: str,
    headers: Sequence[tuple[str, str]],
    pace: Pace,
) -> Iterator[Reply]:
    """Yield the reply to each probe; ends early after too many without an answer.

    `headers` are sent with every request. Raise Unreachable if there is no connection for
    the very first one.
    """
    silent = 0
    for number, probe in enumerate(probes):
        pace.wait()
        promised = Expected(probe.expected.label, "", "", probe.expected.version)
        try:
            answer = client.ask(probe.request, _lines(probe, hash_header, headers))
        except NoAnswer as error:
            if number == 0 and isinstance(error, Unreachable):
                raise
            silent += 1
            yield Reply(probe, promised, None, 0, str(error))
            if silent == MOST_SILENT:
                return
            continue
        silent = 0
        found = _found(answer, version_header)
        problem = "" if found is not None else f"status {answer.status} without a version header"
        yield Reply(probe, promised, found, answer.status, problem)


def _lines(
    probe: Probe, hash_header: str, headers: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    own = [("user-agent", f"pinroute/{__version__}"), ("accept", "*/*")]
    name = hash_header.upper() if probe.upper else hash_header
    given = [*probe.request.headers.items(), *headers]
    named = {key.lower() for key, _ in given}
    return [
        *((key, value) for key, value in own if key not in named),
        *given,
        *((name, value) for value in probe.values),
    ]


def _found(answer: Answer, header: str) -> Expected | None:
    versions = answer.values(header)
    if versions:
        return Expected("", "", "", _printable(", ".join(versions)))
    if answer.status in _SILENT_STATUSES or answer.status >= 500:
        return None
    unrouted = answer.status == 404
    return Expected("", "404" if unrouted else f"no version, status {answer.status}", "", None)


def _printable(text: str) -> str:
    """Return a text of somebody else's as it may be shown in a terminal."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
