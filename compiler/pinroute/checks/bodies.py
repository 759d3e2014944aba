"""Bodies of rules: what a rule does, without its name and its match.

Many rules of many files do one of a few things, written alike. What was read and found
clean once is neither read nor checked again; it is known by the text that it stands in.
"""

from pinroute.istio.resource import Fields
from pinroute.spec.nodes import Document, Mapping, Node
from pinroute.spec.scalars import value

Body = tuple[tuple[str, int, str], ...]

OTHERS = ("name", "match")


def body_of(document: Document, entry: Node) -> Body | None:
    """Return the texts of a rule's fields, with the column where each begins.

    None where the texts do not say everything: aliases, anchors, merges, redirects.
    """
    if not isinstance(entry, Mapping) or "redirect" in entry.entries:
        return None
    found: list[tuple[str, int, str]] = []
    for name, node in entry.entries.items():
        if name in OTHERS:
            continue
        text = document.written(node)
        # Such texts mean what is written elsewhere, or look at the match beside them.
        if text is None or "*" in text or "&" in text or "<<" in text:
            return None
        if entry.keys[name].tag is not None:
            return None
        found.append((name, node.start[1], text))
    return tuple(found)


class Bodies:
    """What is known of bodies so far: their fields as data, and which of them are clean."""

    def __init__(self) -> None:
        self._fields: dict[Body, Fields] = {}
        self._clean: set[tuple[Body, bool]] = set()

    def fields(self, entry: Mapping, body: Body | None) -> Fields:
        """Return the fields of a rule as data; those of equal bodies are shared, not copied."""
        known = self._fields.get(body) if body is not None else None
        if known is None:
            known = {
                name: value(node) for name, node in entry.entries.items() if name not in OTHERS
            }
            if body is not None:
                self._fields[body] = known
        own = {name: value(entry.entries[name]) for name in OTHERS if name in entry.entries}
        return {**own, **known}

    def is_clean(self, body: Body | None, *, delegate: bool) -> bool:
        """Tell whether such a body was found clean, in a delegate or in another VirtualService."""
        return body is not None and (body, delegate) in self._clean

    def clean(self, body: Body, *, delegate: bool) -> None:
        """Note that a body is clean."""
        self._clean.add((body, delegate))
