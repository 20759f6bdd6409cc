"""One platform for the tests that only read its ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gate.platform import Platform, platform


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("house")) as made:
        yield made
