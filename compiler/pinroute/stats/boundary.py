"""Group sequential boundaries: the critical values of a test that is looked at repeatedly.

Without an effect the statistics of the looks are normal, with the correlation
sqrt(I_j / I_k) between looks j < k of information I (1 / variance of the estimate). The
critical value of a look is the one at which a path that crossed no earlier one crosses with
the probability that the spending function adds at this look. The density of the paths that
go on is carried from look to look (Armitage, McPherson and Rowe 1969; Jennison and
Turnbull 2000, ch. 19): one step a look.

Everything is done for many tests at once, a row each; rows may miss looks.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pinroute.stats.density import beyond, density, panels, step
from pinroute.stats.tails import Floats, quantile_above

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

LOWEST, HIGHEST = -5.0, 9.0  # where the density is cut: no path outside matters
LEAST_GROWTH = 1.005  # information grows at least by this factor from look to look
LEAST_SPENT = 1e-40  # a look that may spend less than this has no boundary
_STEPS = 60  # of Newton's method, at most; it needs about five


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of many tests that crossed nothing so far. A row is a test.

    Rows with `two_sided` go on between -critical and critical, the others below critical.
    `information` and `critical` belong to the last look with a boundary (0 and inf where
    there was none), `former` is the information of the look before it, of which `nodes`
    (rows, n) are points and `mass` is their weight times density.
    """

    two_sided: Flags
    information: Floats
    critical: Floats
    former: Floats
    nodes: Floats
    mass: Floats


def begin(two_sided: Flags) -> Paths:
    """Return the paths before the first look: all of them in one point."""
    rows = len(two_sided)
    none = np.zeros(rows)
    start = np.zeros((rows, 1))
    return Paths(two_sided, none, np.full(rows, np.inf), none, start, start + 1.0)


def advance(paths: Paths, rows: Rows, information: Floats, increment: Floats) -> Paths:
    """Return the paths after one more look of some rows.

    `information` (1 / variance, in any unit that stays the same; made increasing here) and
    `increment` (the error that one side may spend at this look, no more than a half) have an
    element for each of `rows`. `critical` of these rows is then the boundary of the look.
    A look that may spend next to nothing has none and changes nothing, which is exact.
    """
    spends = increment >= LEAST_SPENT
    rows, information, increment = rows[spends], information[spends], increment[spends]
    if not len(rows):
        return paths
    last = paths.information[rows]
    now = np.maximum(information, LEAST_GROWTH * last)
    nodes, mass = _layer(paths, rows, now)
    factor, _, width = step(last, now)
    critical = _solve(nodes * factor[:, None], mass, width, increment)
    return replace(
        paths,
        information=_put(paths.information, rows, now),
        critical=_put(paths.critical, rows, critical),
        former=_put(paths.former, rows, last),
        nodes=_put_wide(paths.nodes, rows, nodes),
        mass=_put_wide(paths.mass, rows, mass),
    )


def _layer(paths: Paths, rows: Rows, now: Floats) -> tuple[Floats, Floats]:
    """Return points of the last look inside its boundary, and their weight times density."""
    last, former = paths.information[rows], paths.former[rows]
    started = last > 0.0
    if not started.any():
        return np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    last = np.where(started, last, now / 2.0)  # any value: the row is overwritten below
    ahead, _, width = step(last, now)
    behind, _, before = step(former, last)
    high = np.minimum(paths.critical[rows], HIGHEST)
    low = np.where(paths.two_sided[rows], -high, LOWEST)
    nodes, weights = panels(low, high, np.minimum(before, width / ahead))
    mass = weights * density(nodes, paths.nodes[rows] * behind[:, None], paths.mass[rows], before)
    nodes[~started], mass[~started] = 0.0, 0.0
    mass[~started, 0] = 1.0
    return nodes, mass


def _solve(mean: Floats, mass: Floats, width: Floats, increment: Floats) -> Floats:
    """Return the values above which the paths have the probabilities `increment`.

    Newton's method on the logarithm, which is concave: it comes down from the value for a
    single look, without ever passing the solution.
    """
    value = quantile_above(increment)
    wanted = np.log(increment)
    for _ in range(_STEPS):
        tail, there = beyond(value, mean, mass, width)
        move = (np.log(tail) - wanted) * tail / there
        value = value + move
        if np.all(np.abs(move) < 1e-9):
            break
    return value


def _put(all_rows: Floats, rows: Rows, values: Floats) -> Floats:
    """Return a copy with some rows replaced."""
    copy = all_rows.copy()
    copy[rows] = values
    return copy


def _put_wide(all_rows: Floats, rows: Rows, values: Floats) -> Floats:
    """Return a copy with some rows replaced, as wide as the widest row; the rest is zero."""
    wide = np.zeros((len(all_rows), max(all_rows.shape[1], values.shape[1])))
    wide[:, : all_rows.shape[1]] = all_rows
    wide[rows] = 0.0
    wide[rows, : values.shape[1]] = values
    return wide
