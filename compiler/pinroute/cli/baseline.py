"""Writing a baseline: all of it or nothing, and the same bytes for the same findings."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pinroute.cli.exits import Unwritable
from pinroute.cli.folder import Drift, write
from pinroute.cli.policy import places
from pinroute.compilation import Compilation
from pinroute.diagnostics import Diagnostic
from pinroute.policy.baseline import baseline_body, known_entries


def write_baseline(file: str, found: Sequence[Diagnostic], compilation: Compilation) -> int:
    """Write the findings that a baseline may hold, and return how many they are."""
    names = {item.span.file for item in found}
    entries = known_entries(found, compilation.documents, places(names, os.path.dirname(file)))
    text = json.dumps(baseline_body(entries), indent=2, ensure_ascii=False)
    if any("\ud800" <= character <= "\udfff" for character in text):  # no UTF-8 in a file's name
        text = json.dumps(baseline_body(entries), indent=2)
    path = Path(file)
    try:
        before = "" if path.exists() else None  # only whether there is one matters
        write([Drift(path, before, f"{text}\n")])
    except OSError as error:
        raise Unwritable(error, file) from None
    return entries.total()
