"""When a look may decide: enough buckets, enough events, a variance worth the name.

Without it, one bucket with requests and 31 without have a variance of 1e-33 and a certain
winner. A look that does not pass spends nothing; its error waits for the next one.
"""

import math

import numpy as np

from pinroute.stats.boundary import Flags
from pinroute.stats.tails import Floats

LEAST_EFFECTIVE = 8.0  # Kish's buckets, in each arm
LEAST_BUCKETS = 8
LEAST_EVENTS = 25.0  # in each arm; of a proportion also the other requests
LEAST_VARIANCE = 1e-12


def passes(effective: Floats, events: Floats, buckets: int) -> Flags:
    """Return where an arm has enough. `events`: the rarer kind of events of a proportion."""
    enough = (effective >= LEAST_EFFECTIVE) & (events >= LEAST_EVENTS)
    return np.asarray(enough & (buckets >= LEAST_BUCKETS))


def varies(variance: Floats) -> Flags:
    """Return where the variance of a difference can be used."""
    return np.asarray(np.isfinite(variance) & (variance > LEAST_VARIANCE))


def too_few(effective: float, events: float, buckets: int, what: str) -> str | None:
    """Return what an arm lacks, in words, or None. `what` names the events."""
    if buckets < LEAST_BUCKETS:
        return f"has {buckets} buckets, and {LEAST_BUCKETS} are the least"
    if not events >= LEAST_EVENTS:
        return f"has {math.floor(events):,} {what}, and {LEAST_EVENTS:.0f} are the least"
    if not effective >= LEAST_EFFECTIVE:
        return (
            f"has its requests in so few buckets that they count as {effective:.1f}, "
            f"and {LEAST_EFFECTIVE:.0f} are the least"
        )
    return None
