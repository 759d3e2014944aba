"""Is each prefix a block of the universe, and do no two groups claim the same users?"""

from collections.abc import Iterator

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.spec.model import Experiment
from pinroute.spec.nodes import Document


def check_prefixes(document: Document, experiment: Experiment) -> Iterator[Diagnostic]:
    """Yield what is wrong with the prefixes of the groups.

    Linear: a prefix is looked up by each of its heads in what has been claimed.
    """
    alphabet, digits = experiment.user_hash.alphabet, experiment.user_hash.digits
    sound: list[tuple[str, int, Path]] = []
    for number, group in enumerate(experiment.groups):
        if not group.prefixes and not group.by_share:
            path: Path = ("spec", "groups", number)
            yield diagnose("PIN205", document.span((*path, "name")), path, group=group.name)
        for index, prefix in enumerate(group.prefixes):
            path = ("spec", "groups", number, "prefixes", index)
            foreign = next((char for char in prefix if char not in alphabet), None)
            if prefix == "":
                yield diagnose("PIN210", document.span(path), path, group=group.name)
            elif foreign is not None:
                small = prefix.lower()
                known = all(char in alphabet for char in small)
                yield diagnose(
                    "PIN203",
                    document.span(path),
                    path,
                    hint=f"write {small!r}: header values have case" if known else None,
                    prefix=prefix,
                    char=foreign,
                    alphabet=alphabet,
                )
            elif len(prefix) > digits:
                yield diagnose(
                    "PIN204",
                    document.span(path),
                    path,
                    prefix=prefix,
                    size=len(prefix),
                    digits=digits,
                )
            else:
                sound.append((prefix, number, path))
    yield from _overlaps(document, experiment, sound)


def _overlaps(
    document: Document, experiment: Experiment, sound: list[tuple[str, int, Path]]
) -> Iterator[Diagnostic]:
    owners: dict[str, tuple[int, Path]] = {}
    for prefix, number, path in sound:
        if prefix not in owners:
            owners[prefix] = (number, path)
    for prefix, number, path in sound:
        heads = (prefix[:length] for length in range(1, len(prefix) + 1))
        for head in heads:
            owner = owners.get(head)
            if owner is None or owner[1] == path:
                continue
            other, claim = owner
            group, rival = experiment.groups[number].name, experiment.groups[other].name
            witness = prefix + experiment.user_hash.alphabet[0] * (
                experiment.user_hash.digits - len(prefix)
            )
            related = (
                Related(document.span(claim), f"{head!r} of group {rival!r} is claimed here"),
            )
            if other == number:
                relation = "is given twice" if head == prefix else f"is inside of its own {head!r}"
            elif head == prefix:
                relation = f"is also one of group {rival!r}"
            else:
                relation = f"is inside of {head!r} of group {rival!r}"
            yield diagnose(
                "PIN202" if other == number else "PIN201",
                document.span(path),
                path,
                related=related,
                hint="take one of the two out" if other != number and head == prefix else None,
                prefix=prefix,
                head=head,
                group=group,
                relation=relation,
                witness=witness,
            )
            break
