"""The Slicer scene is one per process: every test here starts with it empty."""

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")


@pytest.fixture(autouse=True)
def scene():
    """The application's scene, emptied."""
    from TumorTwinLib.mrml.runtime import ensure_slicer

    scene = ensure_slicer().mrmlScene
    scene.Clear(0)
    yield scene
    scene.Clear(0)
