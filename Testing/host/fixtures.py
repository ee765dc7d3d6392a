"""Fixtures for tests that use the host: import them in the folder's conftest.py."""

from __future__ import annotations

import pytest


def skip_without_host() -> None:
    """Skip a test on a machine where Slicer's libraries, Qt or OpenGL are absent."""
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
    pytest.importorskip(
        "Testing.host.pythonqt.source",
        reason="Qt is absent: pip install -e .[dev]; on Debian also apt-get install libgl1 libxkbcommon0 libdbus-1-3",
        exc_type=ImportError,
    )
    from TumorTwinLib.mrml.graphics import graphics_available
    from TumorTwinLib.mrml.runtime import ensure_slicer

    ensure_slicer()
    if not graphics_available():
        pytest.skip("no OpenGL: apt-get install libegl1 libgl1-mesa-dri")


@pytest.fixture(scope="module")
def slicer_window():
    """One window for the tests of a file; `host` is what tests use."""
    skip_without_host()
    from Testing.host.host import running_host

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
