"""What all tests share: the switch that rewrites golden files, and the real cluster."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.cluster import Cluster


def pytest_configure() -> None:
    # Whoever starts the tests in the background may have interrupts ignored, for children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        default=False,
        help="rewrite golden/ and docs/diagnostics.md instead of comparing; read the diff",
    )


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Kubernetes API server that asks istiod's webhook: one for the whole run."""
    from servers.cluster import cluster  # certificates and processes: most tests need neither

    with cluster() as running:
        yield running
