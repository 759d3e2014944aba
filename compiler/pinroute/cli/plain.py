"""The plain form of the commands that hooks, editors and pipelines run: read without click.

Importing click takes as long as compiling a spec does. A call made only of known
options and their values, each a word of its own, is read here; every other one, also
every mistake, is click's. A property test holds the two together.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple


class Form(NamedTuple):
    """The options of a command: word -> name of the parameter. `choices` limits values."""

    module: str
    flags: Mapping[str, str]
    values: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    defaults: Mapping[str, Any]


_INPUT_FLAGS = {"-R": "recursive", "--recursive": "recursive", "--isolated": "isolated"}
_INPUT_VALUES = {
    "-f": "filenames",
    "--filename": "filenames",
    "--env": "environment",
    "--config": "config",
    "--baseline": "baseline",
}
_INPUT_DEFAULTS = {
    "recursive": False,
    "isolated": False,
    "environment": None,
    "config": None,
    "baseline": None,
}
FORMS = {
    "compile": Form(
        "pinroute.cli.compiling",
        {**_INPUT_FLAGS, "--check": "check", "--write": "write_", "--remove": "remove"},
        {
            **_INPUT_VALUES,
            "-d": "output_dir",
            "--output-dir": "output_dir",
            "--stage": "stage",
            "-o": "output",
            "--output": "output",
        },
        {"output": ("yaml", "json")},
        {
            **_INPUT_DEFAULTS,
            "check": False,
            "write_": False,
            "remove": False,
            "output_dir": None,
            "stage": None,
            "output": "yaml",
        },
    ),
    "validate": Form(
        "pinroute.cli.validating",
        {**_INPUT_FLAGS, "--complete": "complete", "--show-hidden": "show_hidden"},
        {
            **_INPUT_VALUES,
            "-o": "output",
            "--output": "output",
            "--fail-on": "fail_on",
            "--output-file": "output_file",
            "--write-baseline": "write_baseline",
        },
        {
            "output": ("text", "json", "github", "sarif"),
            "fail_on": ("error", "warning", "note"),
        },
        {
            **_INPUT_DEFAULTS,
            "complete": False,
            "output": "text",
            "fail_on": "error",
            "output_file": None,
            "write_baseline": None,
            "show_hidden": False,
        },
    ),
    "diff": Form(
        "pinroute.cli.diffing",
        {"-R": "recursive", "--recursive": "recursive", "--prune": "prune"},
        {
            "-f": "filenames",
            "--filename": "filenames",
            "--env": "environment",
            "--stage": "stage",
            "-l": "selector",
            "--selector": "selector",
            "-n": "namespace",
            "--namespace": "namespace",
            "--context": "context",
            "--kubeconfig": "kubeconfig",
            "--request-timeout": "request_timeout",
            "--field-manager": "field_manager",
        },
        {},
        {
            "recursive": False,
            "prune": False,
            "environment": None,
            "stage": None,
            "selector": None,
            "namespace": None,
            "context": None,
            "kubeconfig": None,
            "request_timeout": "30s",
            "field_manager": "pinroute",
        },
    ),
}
# Variables that are not options of a command.
_OWN_VARIABLES = frozenset({"PINROUTE_DEBUG", "PINROUTE_ENVOY"})


def read_plain(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the parameters of a plain call, None if click has to read it."""
    form = FORMS.get(words[0]) if words else None
    if form is None or any(
        name.startswith(("PINROUTE_", "_PINROUTE_")) and name not in _OWN_VARIABLES
        for name in environ
    ):
        return None
    found: dict[str, Any] = dict(form.defaults)
    files: list[str] = []
    filenames: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in form.flags:
            found[form.flags[word]] = True
        elif word in form.values:
            name, value = form.values[word], next(rest, None)
            if value is None or (value.startswith("-") and value != "-"):
                return None
            if name in form.choices and value not in form.choices[name]:
                return None
            if name == "filenames":
                filenames.append(value)
            else:
                found[name] = value
        elif word.startswith("-") and word != "-":
            return None
        else:
            files.append(word)
    return {**found, "files": tuple(files), "filenames": tuple(filenames)}


def plain_call(words: Sequence[str], environ: Mapping[str, str]) -> Callable[[], int] | None:
    """Return the call that plain words mean, None if click has to read them."""
    parameters = read_plain(words, environ)
    if parameters is None:
        return None

    def call() -> int:
        run: Callable[..., int] = import_module(FORMS[words[0]].module).run
        return run(**parameters)

    return call
