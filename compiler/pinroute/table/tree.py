"""The tree behind a table: which leaf does each string reach?

A node is either a leaf, a plain integer, or a branch, a tuple of
`2 + len(alphabet)` nodes:

    (end, other, child of alphabet[0], child of alphabet[1], …)

`end` is where a string that stops here goes, `other` where one goes that continues
with a character outside the alphabet. A leaf holds for everything below it. Tuples of
integers are the smallest and fastest tree that Python has; branches may be shared, so
every walk that could meet one twice remembers what it has seen.
"""

from collections.abc import Callable, Sequence
from typing import Union, cast

Node = Union[int, tuple["Node", ...]]  # noqa: UP007  a text in it rules `|` out

END, OTHER, FIRST = 0, 1, 2


def find(node: Node, alphabet: str, value: str) -> int:
    """Return the leaf that a string reaches."""
    for char in value:
        if isinstance(node, int):
            return node
        index = alphabet.find(char)
        node = node[FIRST + index] if index >= 0 else node[OTHER]
    return node if isinstance(node, int) else cast("int", node[END])


def branch(children: tuple[Node, ...]) -> Node:
    """Return a branch, or the leaf that all its children are."""
    first = children[0]
    if isinstance(first, int) and children.count(first) == len(children):
        return first
    return children


def overlay(node: Node, prefix: Sequence[int], put: Callable[[Node], Node], width: int) -> Node:
    """Return the tree with the block of a prefix (alphabet indices) replaced by `put(block)`."""
    if not prefix:
        return put(node)
    children = (node,) * (FIRST + width) if isinstance(node, int) else node
    at = FIRST + prefix[0]
    new = overlay(children[at], prefix[1:], put, width)
    return branch((*children[:at], new, *children[at + 1 :]))


def leaf_node(_below: Node, leaf: int) -> Node:
    """Replace whatever was there by a leaf."""
    return leaf


def full(below: Node, inside: int, depth: int, width: int) -> Node:
    """Return `below` with exactly the strings of `depth` further characters sent to `inside`."""
    seen: dict[tuple[int, int], Node] = {}

    def fill(node: Node, left: int) -> Node:
        key = (node if isinstance(node, int) else id(node), left)
        known = seen.get(key)
        if known is None:
            children = (node,) * (FIRST + width) if isinstance(node, int) else node
            if left == 0:
                known = branch((inside, *children[1:]))
            else:
                deeper = tuple(fill(child, left - 1) for child in children[FIRST:])
                known = branch((children[END], children[OTHER], *deeper))
            seen[key] = known
        return known

    return fill(below, depth)


def blocks(items: Sequence[tuple[str, int]], default: int, alphabet: str) -> Node:
    """Build a tree from many prefixes at once; the longest prefix of a string wins.

    `items` are (prefix, leaf), sorted by prefix, each prefix once, characters in the
    alphabet; the alphabet is in the order of its code points. Linear in the nodes.
    """
    width = len(alphabet)
    order = {char: index for index, char in enumerate(alphabet)}

    def chain(prefix: str, depth: int, leaf: int, outside: int) -> Node:
        """Return the branches that lead from `depth` to one lone prefix."""
        if leaf == outside:
            return leaf
        node: Node = leaf
        around = (outside,) * (FIRST + width)
        for position in range(len(prefix) - 1, depth - 1, -1):
            at = FIRST + order[prefix[position]]
            node = (*around[:at], node, *around[at + 1 :])
        return node

    def grow(low: int, high: int, depth: int, outside: int) -> Node:
        prefix, leaf = items[low]
        if len(prefix) == depth:
            outside = leaf
            low += 1
            if low == high:
                return leaf
            prefix, leaf = items[low]
        if high - low == 1:
            return chain(prefix, depth, leaf, outside)
        children: list[Node] = [outside] * (FIRST + width)
        while low < high:
            head = items[low][0][depth]
            cut = _after(items, low, high, depth, head)
            children[FIRST + order[head]] = grow(low, cut, depth + 1, outside)
            low = cut
        return branch(tuple(children))

    return grow(0, len(items), 0, default) if items else default


def _after(items: Sequence[tuple[str, int]], low: int, high: int, depth: int, head: str) -> int:
    """Return the first index whose prefix continues with a later character."""
    if items[high - 1][0][depth] == head:
        return high
    while low < high:
        middle = (low + high) // 2
        if items[middle][0][depth] <= head:
            low = middle + 1
        else:
            high = middle
    return low


def project(root: Node, digits: int) -> Node:
    """Return the tree of the user hashes alone, without what happens to other strings.

    `end` and `other` of its branches mean nothing.
    """
    seen: dict[int, Node] = {}

    def reduce(node: Node, depth: int) -> Node:
        if isinstance(node, int):
            return node
        if depth == digits:
            return node[END]
        known = seen.get(id(node))
        if known is None:
            children = [reduce(child, depth + 1) for child in node[FIRST:]]
            first = children[0]
            same = isinstance(first, int) and children.count(first) == len(children)
            known = first if same else (0, 0, *children)
            seen[id(node)] = known
        return known

    return reduce(root, 0)
