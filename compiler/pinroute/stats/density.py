"""The density of the paths that crossed no boundary yet, from one look to the next.

A look's statistic is normal with variance 1. Given x at a look of information I, it is at
one of information J normal with mean sqrt(I/J) x + theta (J - I)/sqrt J and variance
1 - I/J (theta: the effect; 0 under the hypothesis). Integrals are sums over the nodes of
Gauss-Legendre panels, no wider than the densities allow. A row is a test of its own.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from pinroute.stats.tails import Floats

Counts = npt.NDArray[np.intp]

NODES = 16  # nodes of a panel
PANEL = 10.0  # width of a panel, in standard deviations of the narrowest density: 1e-6 exact
_BLOCK = 200_000  # elements that are worked on at once: they fit into a processor's cache


def step(former: Floats, now: Floats, theta: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """Return factor, shift and standard deviation of the step between two informations."""
    factor = np.sqrt(former / now)
    shift = theta * (now - former) / np.sqrt(now)
    return factor, shift, np.sqrt((now - former) / now)


def panels(low: Floats, high: Floats, width: Floats) -> Counts:
    """Return how many panels integrals from `low` to `high` need, for each row.

    `width` is the standard deviation of the narrowest density in the integral. The numbers
    are powers of two, so that many rows have the same.
    """
    least = np.maximum((high - low) / (PANEL * width), 1.0)
    return np.exp2(np.ceil(np.log2(least))).astype(np.intp)


def quadrature(low: Floats, high: Floats, count: int) -> tuple[Floats, Floats]:
    """Return nodes and weights, each (rows, n), for integrals from `low` to `high`."""
    unit, weights = _unit(count)
    span = (high - low)[:, None]
    return low[:, None] + span * unit, span * weights


def density(at: Floats, mean: Floats, mass: Floats, width: Floats) -> Floats:
    """Return the density of a look at some points (rows, n).

    `mean` (rows, m) is where the points of the look before lead to, `mass` their weight.
    """
    scale = np.sqrt(0.5) / width[:, None]
    targets, sources = at * scale, mean * scale
    rows = max(1, _BLOCK // (at.shape[1] * mean.shape[1]))
    found = np.empty(at.shape)
    for start in range(0, len(at), rows):
        block = slice(start, start + rows)
        kernel = targets[block, :, None] - sources[block, None, :]
        np.multiply(kernel, kernel, out=kernel)
        np.negative(kernel, out=kernel)
        np.exp(kernel, out=kernel)
        np.einsum("bnm,bm->bn", kernel, mass[block], out=found[block])
    scaled: Floats = found / (width[:, None] * np.sqrt(2.0 * np.pi))
    return scaled


def beyond(critical: Floats, mean: Floats, mass: Floats, width: Floats) -> tuple[Floats, Floats]:
    """Return the probability above a critical value, for each row, and the density there."""
    distance = (critical[:, None] - mean) / width[:, None]
    tail: Floats = np.einsum("bm,bm->b", mass, ndtr(-distance))
    there: Floats = np.einsum("bm,bm->b", mass, np.exp(-0.5 * distance * distance))
    return tail, there / (width * np.sqrt(2.0 * np.pi))


@lru_cache(maxsize=256)
def _unit(count: int) -> tuple[Floats, Floats]:
    """Return nodes and weights of `count` panels on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    starts = np.arange(count)[:, None]
    unit = (starts + (nodes + 1.0) / 2.0).ravel() / count
    return unit, np.tile(weights / (2.0 * count), count)
