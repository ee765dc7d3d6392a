"""Fixtures for tests that use the host: import them in the folder's conftest.py."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
pytest.importorskip(
    "Testing.host.pythonqt.source",
    reason="Qt is not installed: pip install -e .[dev], on Debian apt-get install libegl1 libgl1 libxkbcommon0",
    exc_type=ImportError,
)


@pytest.fixture(scope="module")
def slicer_window():
    """One window for the tests of a file; `host` is what tests use."""
    from Testing.host.host import running_host
    from TumorTwinLib.mrml.graphics import graphics_available

    if not graphics_available():
        pytest.skip("no OpenGL: apt-get install libegl1 libgl1-mesa-dri")
    with running_host() as host:
        yield host


@pytest.fixture
def host(slicer_window):
    """Slicer's window, empty; a test fails when a slot raised and nothing noticed."""
    slicer_window.reset()
    yield slicer_window
    left = list(slicer_window.slot_errors)
    waiting = slicer_window.app.overrideCursor() is not None
    slicer_window.reset()
    assert left == [], f"a slot raised {left[0]!r}"
    assert not waiting, "the wait cursor was left behind"
