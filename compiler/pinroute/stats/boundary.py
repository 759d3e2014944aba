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
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pinroute.stats.density import beyond, density, panels, quadrature, step
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
    (rows, n) are points and `mass` is their weight times density. A row has `sizes` points;
    the others are zero.
    """

    two_sided: Flags
    information: Floats
    critical: Floats
    former: Floats
    nodes: Floats
    mass: Floats
    sizes: Rows


def begin(two_sided: Flags) -> Paths:
    """Return the paths before the first look: all of them in one point."""
    rows = len(two_sided)
    none = np.zeros(rows)
    start = np.zeros((rows, 1))
    sizes = np.ones(rows, dtype=np.intp)
    return Paths(two_sided, none, np.full(rows, np.inf), none, start, start + 1.0, sizes)


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
    now = np.maximum(information, LEAST_GROWTH * paths.information[rows])
    count = _panels(paths, rows, now)
    for panels_now in np.unique(count):  # 0: the first look of a row
        some = count == panels_now
        paths = _step(paths, rows[some], now[some], increment[some], int(panels_now))
    return paths


def _panels(paths: Paths, rows: Rows, now: Floats) -> Rows:
    """Return in how many panels the density of the last look has to be cut; 0 if none was."""
    last = paths.information[rows]
    started = last > 0.0
    safe = np.where(started, last, now / 2.0)
    ahead, _, width = step(safe, now)
    _, _, before = step(paths.former[rows], safe)
    low, high = _inside(paths, rows)
    return np.where(started, panels(low, high, np.minimum(before, width / ahead)), 0)


def _inside(paths: Paths, rows: Rows) -> tuple[Floats, Floats]:
    """Return between which values the paths of the last look go on."""
    high = np.minimum(paths.critical[rows], HIGHEST)
    return np.where(paths.two_sided[rows], -high, LOWEST), high


def _step(paths: Paths, rows: Rows, now: Floats, increment: Floats, count: int) -> Paths:
    """Return the paths after a look of rows that need the same number of panels."""
    last, former = paths.information[rows], paths.former[rows]
    if count == 0:
        nodes, mass = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    else:
        size = int(paths.sizes[rows].max())
        behind, _, before = step(former, last)
        nodes, weights = quadrature(*_inside(paths, rows), count)
        mean = paths.nodes[rows, :size] * behind[:, None]
        mass = weights * density(nodes, mean, paths.mass[rows, :size], before)
    factor, _, width = step(last, now)
    critical = _solve(nodes * factor[:, None], mass, width, increment)
    return replace(
        paths,
        information=_put(paths.information, rows, now),
        critical=_put(paths.critical, rows, critical),
        former=_put(paths.former, rows, last),
        nodes=_put_wide(paths.nodes, rows, nodes),
        mass=_put_wide(paths.mass, rows, mass),
        sizes=_put(paths.sizes, rows, np.full(len(rows), nodes.shape[1], dtype=np.intp)),
    )


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
        if np.abs(move).max() < 1e-6:  # the next move would be its square
            break
    return value


Number = TypeVar("Number", np.float64, np.intp)


def _put(
    all_rows: npt.NDArray[Number], rows: Rows, values: npt.NDArray[Number]
) -> npt.NDArray[Number]:
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
