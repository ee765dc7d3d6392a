"""Fixtures every suite may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("data")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Research data for tests, not shipped: the folder TUMORTWIN_DATA, else ../shared/data beside the checkout."""
    folder = Path(os.environ.get("TUMORTWIN_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("research data absent: set TUMORTWIN_DATA to its folder")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every run of every test."""
    return np.random.default_rng(20240229)
