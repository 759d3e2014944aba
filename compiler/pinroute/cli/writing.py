"""Plans carried out: a line for each object as it is written, and what was left if it stops."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from pinroute.cli.exits import Exit
from pinroute.cli.report import text
from pinroute.cli.terminal import err, out
from pinroute.cluster.access import CONNECTIONS
from pinroute.cluster.client import Client
from pinroute.cluster.deployment import Manner, Plan, Step, Write, carry_out, refusal
from pinroute.cluster.failure import ClusterFailure, Denied

CLIENT, SERVER, NONE = "client", "server", "none"
_SUFFIX = {CLIENT: " (dry run)", SERVER: " (server dry run)", NONE: ""}


class Stopped(Exception):
    """A write failed; what was written before stands in `writes`, and all of it was told."""

    def __init__(self, code: Exit, writes: Sequence[Write]):
        super().__init__()
        self.code = code
        self.writes = tuple(writes)


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

    Raises Stopped at the first failure, after it has told what is written and what is not.
    """
    if telling.dry_run == CLIENT:
        found = [Write(step, step.wanted) for plan in plans for step in plan.steps]
        for one in found:
            _tell(telling, one)
        return found
    work = _Work(client, manner, telling)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        futures = [pool.submit(work.carry_out, plan) for plan in plans]
        try:
            return _collected(plans, futures, telling)
        except KeyboardInterrupt:
            _abandon(plans, futures, telling, work)
            raise


class _Work:
    """Carries out one plan after the other, until something fails anywhere."""

    def __init__(self, client: Client, manner: Manner, telling: Telling):
        self._client, self._manner, self._telling = client, manner, telling
        self.stopped = False

    def carry_out(self, plan: Plan) -> "_Result":
        """Carry out a plan; a failure is kept beside what was written before it."""
        done: list[Write] = []
        for step in plan.steps:
            if self.stopped:
                return _Result(plan, done, None)
            try:
                dry_run = self._telling.dry_run == SERVER
                done.append(carry_out(step, self._client, self._manner, dry_run=dry_run))
            except ClusterFailure as failure:
                self.stopped = True
                return _Result(plan, done, failure)
        return _Result(plan, done, None)


class _Result(NamedTuple):
    plan: Plan
    writes: list[Write]
    failure: ClusterFailure | None


def _collected(
    plans: Sequence[Plan], futures: Sequence["Future[_Result]"], telling: Telling
) -> list[Write]:
    done: list[Write] = []
    failures: list[tuple[Plan, ClusterFailure]] = []
    for future in futures:
        result = future.result()
        for one in result.writes:
            _tell(telling, one)
        done += result.writes
        if result.failure is not None:
            failures.append((result.plan, result.failure))
    if not failures:
        return done
    code = max(_tell_failure(plan, failure) for plan, failure in failures)
    _tell_rest(plans, done)
    raise Stopped(code, done)


def _abandon(
    plans: Sequence[Plan], futures: Sequence["Future[_Result]"], telling: Telling, work: _Work
) -> None:
    """Let what is under way end, and tell what was written."""
    work.stopped = True
    done = [one for future in futures for one in future.result().writes]
    for one in done:
        _tell(telling, one)
    _tell_rest(plans, done)


def _tell(telling: Telling, one: Write) -> None:
    out(telling.line(one.step))


def _tell_failure(plan: Plan, failure: ClusterFailure) -> Exit:
    from pinroute.cli.connection import tell

    if isinstance(failure, Denied):
        err(text([refusal(plan.compiled, failure)]))
        return Exit.BACKEND
    return tell(failure)


def _tell_rest(plans: Sequence[Plan], done: Sequence[Write]) -> None:
    written = {one.step.what for one in done}
    for step in _steps(plans):
        if step.what not in written and step.changes:
            err(f"not written: {step.what.key}\n")


def _steps(plans: Sequence[Plan]) -> Iterator[Step]:
    for plan in plans:
        yield from plan.steps
