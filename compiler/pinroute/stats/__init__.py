"""From observations to a verdict. Pure: numbers in, a decision with its reasons out.

Users are assigned, requests are counted, so the unit of analysis is the bucket: estimates
are ratios of sums over an arm's buckets, their variance is the spread over the buckets, and
looks are group sequential. `decide` (in `decision`) is the whole procedure; the modules
below it are its parts, each with its formula. They need numpy and scipy: pinroute[decide].
"""
