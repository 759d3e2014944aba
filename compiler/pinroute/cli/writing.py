"""Plans carried out: a line for each object as it is written, and what was left if it stops."""

import signal
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import NamedTuple

from pinroute.cli.exits import Ended, Exit
from pinroute.cli.interrupts import whole
from pinroute.cli.report import text
from pinroute.cli.terminal import drop_output, err, out
from pinroute.cli.workers import Workers
from pinroute.cluster.api.access import CONNECTIONS
from pinroute.cluster.api.client import Client
from pinroute.cluster.api.failure import ClusterFailure, Denied
from pinroute.cluster.deployment import Manner, Plan, Step, Write, carry_out, refusal

CLIENT, SERVER, NONE = "client", "server", "none"
_SUFFIX = {CLIENT: " (dry run)", SERVER: " (server dry run)", NONE: ""}


class Telling(NamedTuple):
    """How writes are told: which lines, and whether they are only tried."""

    dry_run: str
    output: str

    def line(self, step: Step) -> str:
        """Return the line of an object on stdout."""
        if self.output == "name":
            return f"{step.what.shown}\n"
        return f"{step.what.shown} {step.action}{_SUFFIX[self.dry_run]}\n"


def write(plans: Sequence[Plan], client: Client, manner: Manner, telling: Telling) -> list[Write]:
    """Carry plans out, experiments side by side, objects of one in their order.

    Raises Ended at the first failure, after it has told what is written and what is not.
    """
    if telling.dry_run == CLIENT:
        found = [Write(step, step.wanted) for plan in plans for step in plan.steps]
        for one in found:
            _tell(telling.line(one.step))
        return found
    work = _Work(client, manner, telling)
    under_way = [_Progress(plan) for plan in plans]
    workers = Workers(work.carry_out, under_way, CONNECTIONS)
    try:
        workers.start()
        for future, progress in zip(workers.futures, under_way, strict=True):
            future.result()
            progress.tell(telling)
    except BaseException:  # interrupted, or a bug: also then it is told what is written
        work.is_stopped = True
        _see_out(workers.futures)
        _tell_rest(under_way, telling)
        raise
    failed = [one for one in under_way if one.failure is not None]
    if failed:
        code = max(_tell_failure(one) for one in failed)
        _tell_rest(under_way, telling)
        raise Ended(code)
    return [write for one in under_way for write in one.writes]


class _Progress:
    """How far a plan is carried out; `current` is a step whose outcome is not known."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.writes: list[Write] = []
        self.current: Step | None = None
        self.failure: ClusterFailure | None = None
        self._told = 0

    def tell(self, telling: Telling) -> None:
        """Print what was written and was not told so far."""
        for one in self.writes[self._told :]:
            with whole():  # told, and known to be
                _tell(telling.line(one.step))
                self._told += 1


class _Work:
    """Carries out one plan after the other, until something fails anywhere."""

    def __init__(self, client: Client, manner: Manner, telling: Telling):
        self._client, self._manner = client, manner
        self._is_dry = telling.dry_run == SERVER
        self.is_stopped = False

    def carry_out(self, progress: _Progress) -> None:
        """Carry out a plan; a failure is kept beside what was written before it."""
        for step in progress.plan.steps:
            if self.is_stopped:
                return
            progress.current = step
            try:
                done = carry_out(step, self._client, self._manner, dry_run=self._is_dry)
            except ClusterFailure as failure:
                self.is_stopped = True
                progress.failure = failure
                if self._is_dry or not failure.is_uncertain:
                    progress.current = None
                return
            progress.writes.append(done)
            progress.current = None


def _see_out(futures: "Sequence[Future[None]]") -> None:
    """Wait for what is under way, unless we are interrupted again; then nothing interrupts us."""
    try:
        for future in futures:
            future.cancel()
        if not all(future.done() for future in futures):
            err("waiting for the write that is under way; interrupt again to leave it alone\n")
        wait(futures)
    except KeyboardInterrupt:
        pass
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to tell, and to end


def _tell_rest(under_way: Sequence[_Progress], telling: Telling) -> None:
    """Tell of everything that there was to write what became of it."""
    for one in under_way:
        one.tell(telling)
    for one in under_way:
        written = {write.step.what for write in one.writes}
        for step in one.plan.steps:
            if step is one.current:
                err(f"not known whether it was written: {step.what.key}\n")
            elif step.what not in written and step.changes:
                err(f"not written: {step.what.key}\n")


def _tell(line: str) -> None:
    """Print a line on stdout; what we do goes on if nobody takes it there."""
    try:
        out(line)
    except BrokenPipeError:
        drop_output()
    except OSError as error:  # the disk behind it is full, or the like
        drop_output()
        err(f"Error: cannot write stdout: {error.strerror or error}\n{line}")


def _tell_failure(progress: _Progress) -> Exit:
    from pinroute.cli.connection import tell

    failure = progress.failure
    if isinstance(failure, Denied):
        err(text([refusal(progress.plan.compiled, failure)]))
        return Exit.BACKEND
    return tell(failure) if failure is not None else Exit.OK
