"""What every test shares: how hypothesis searches, and that nothing depends on where or when it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Server, running
from tests.searching import TIMES, USUAL

# Deadlines measure the machine, not the code.
settings.register_profile("dev", deadline=None, max_examples=USUAL, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), print_blob=True)
settings.register_profile("torture", settings.get_profile("ci"), max_examples=TIMES * USUAL)
settings.load_profile("dev")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of this process's own."""
    with running() as made:
        yield made
