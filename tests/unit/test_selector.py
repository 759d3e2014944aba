"""Label selectors as kubectl reads them."""

import pytest

from pinroute.cli.exits import Misuse
from pinroute.cli.selector import selector_of

LABELS = {"app": "shop", "team": "web", "example.com/tier": ""}


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "app=shop",
        "app==shop",
        " app = shop , team = web ",
        "app!=other",
        "absent!=shop",
        "!absent",
        "! absent",
        "example.com/tier",
        "example.com/tier=",
        "app in (shop)",
        "app in ( other , shop ),team",
        "app notin (other,web)",
        "absent notin (shop)",
    ],
)
def test_taken(text: str) -> None:
    assert selector_of(text).takes(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "absent",
        "app=other",
        "app!=shop",
        "!app",
        "app in (other)",
        "app notin (shop)",
        "app,absent",
    ],
)
def test_not_taken(text: str) -> None:
    assert not selector_of(text).takes(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "app,",
        ",app",
        "a=b=c",
        "=a",
        "!",
        "a in b",
        "a in (b",
        "a b",
        "a=b c",
        "-a",
        "a=é",
    ],
)
def test_no_selector(text: str) -> None:
    with pytest.raises(Misuse, match="write name=value"):
        selector_of(text)
