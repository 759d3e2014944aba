"""Which findings stand: comments, severities for paths and a baseline take others out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pinroute.diagnostics import Diagnostic, Span
from pinroute.diagnostics.catalogue import is_fixed
from pinroute.diagnostics.ignores import without_ignored
from pinroute.spec.nodes import Document

if TYPE_CHECKING:
    from pinroute.policy.baseline import Baseline
    from pinroute.policy.severities import Severities


class Policy:
    """What the user has decided about findings: severities for paths, known findings.

    `diagnostics` are findings about the files that say so.
    """

    __slots__ = ("baseline", "diagnostics", "severities")

    def __init__(
        self,
        severities: "Severities | None" = None,
        baseline: "Baseline | None" = None,
        diagnostics: Sequence[Diagnostic] = (),
    ):
        self.severities = severities
        self.baseline = baseline
        self.diagnostics = diagnostics


def stopped(found: Iterable[Diagnostic]) -> bool:
    """Tell whether some finding ended the run before every check was made."""
    return any(is_fixed(item.code) for item in found)


def _weighed(found: Sequence[Diagnostic], policy: Policy) -> list[Diagnostic]:
    """Return findings with the severities that the user wants."""
    if policy.severities is None:
        return list(found)
    from pinroute.policy.severities import weighed

    return weighed(found, policy.severities)


def judge(
    found: Sequence[Diagnostic],
    texts: Mapping[str, str],
    documents: Sequence[Document],
    policy: Policy,
    sure: Callable[[str], bool],
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """Return the findings that neither a comment nor the user's policy takes out, in order.

    The second part are those that the baseline hides.
    """
    standing, complete = _weighed(found, policy), not stopped(found)
    for name, text in texts.items():
        standing = without_ignored(name, text, standing, unused=complete, sure=sure)
    standing = sorted(_weighed(standing, policy), key=_order)
    if policy.baseline is None:
        return tuple(standing), ()
    from pinroute.policy.baseline import compare

    compared = compare(standing, documents, policy.baseline, sure)
    mended = _weighed(compared.mended, policy) if complete else []
    return tuple(sorted([*compared.standing, *mended], key=_order)), tuple(compared.hidden)


def _order(item: Diagnostic) -> tuple[Span, str, str]:
    return item.span, item.code, item.message
