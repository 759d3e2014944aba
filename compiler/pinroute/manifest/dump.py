"""Objects to bytes: the same on every machine, and misread by no YAML reader.

A text stays plain only if it is a harmless word; everything else is in single quotes.
"""

import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

_LETTERS = frozenset(string.ascii_letters)
_PLAIN = _LETTERS | frozenset(string.digits + "_./-")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_BREAKS = "\x85\u2028\u2029"  # line breaks to YAML 1.1, but not to YAML 1.2
_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def harmless(text: str) -> bool:
    """Tell whether every YAML reader takes a plain text for text."""
    return text[:1] in _LETTERS and _PLAIN.issuperset(text) and text.lower() not in _WORDS


class _Dumper(_BASE):  # type: ignore[misc]
    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    style = None if harmless(value) else "'"
    if not value.isascii() and any(char in value for char in _BREAKS):
        style = '"'
    elif "\n" in value:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(data: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """Return an object (or a list of some) as YAML, keys in the order in which they were made."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        width=4096,
        allow_unicode=True,
        default_flow_style=False,
    )


def dump_all(objects: Iterable[Mapping[str, Any]], header: str = "") -> str:
    """Return objects as one stream of documents, with a comment before the first."""
    return header + "---\n".join(dump(item) for item in objects)
