"""The reader of plain calls and click agree on every call that the first one takes."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinroute.cli.group import root
from pinroute.cli.plain import FORMS, read_plain

COMMANDS = sorted(FORMS)


def _words(command: str) -> st.SearchStrategy[list[str]]:
    form = FORMS[command]
    value = st.sampled_from(
        ["a.yaml", "-", "dir/", "json", "yaml", "github", "error", "", "--x", "ü"]
    )
    pair = st.tuples(st.sampled_from(sorted(form.values)), value).map(list)
    single = st.one_of(
        st.sampled_from(sorted(form.flags)),
        value,
        st.sampled_from(["--", "-h", "--output=json", "-dX", "-ojson", "-Rf"]),
    ).map(lambda word: [word])
    return st.lists(st.one_of(pair, single), max_size=6).map(
        lambda parts: [word for part in parts for word in part]
    )


def _read_by_click(command: str, words: list[str]) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def note(**parameters: Any) -> int:
        seen.update(parameters)
        return 0

    with patch(f"pinroute.cli.{command}_command.run", note):
        root.main(args=[command, *words], prog_name="pinroute", standalone_mode=False)
    return seen


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_read_plainly_is_read_alike_by_click(command: str) -> None:
    @given(_words(command))
    def agree(words: list[str]) -> None:
        plain = read_plain([command, *words], {})
        if plain is not None:
            assert plain == _read_by_click(command, words)

    agree()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_click_is_known(command: str) -> None:
    context = root.make_context("pinroute", [command], resilient_parsing=True)
    found = root.get_command(context, command)
    assert found is not None
    options = {
        word for parameter in found.params for word in parameter.opts if word.startswith("-")
    }
    form = FORMS[command]
    assert options == {*form.flags, *form.values}


def test_variables_that_set_options_are_left_to_click() -> None:
    assert read_plain(["compile", "a.yaml"], {"PINROUTE_COMPILE_STAGE": "done"}) is None
    assert read_plain(["compile", "a.yaml"], {"PINROUTE_DEBUG": "1"}) is not None
    assert read_plain(["lookup", "1"], {}) is None
