"""The real panel in the test host."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from Testing.host.fixtures import host, slicer_window

__all__ = ["host", "slicer_window"]


@pytest.fixture
def panel(host, repository):
    """The module's widget object, shown."""
    return host.load_module(repository / "TumorTwin" / "TumorTwin.py")


@pytest.fixture
def ui(panel):
    """The widgets of the panel by object name."""
    return panel.ui


@pytest.fixture
def phantom(panel):
    """A small patient, loaded and chosen, with settings that make a run short."""
    from TumorTwinPanel.patient_loading import addPatient
    from TumorTwinPanel.phantom import phantomPatient

    loaded = addPatient(phantomPatient())
    panel.panel.patientActions.choose(loaded)
    panel.panel.parameters.horizonDays = 30
    panel.panel.parameters.outputEveryDays = 10
    panel.panel.parameters.resolutionMm = 4.0
    panel.panel.refresh()
    return loaded


@pytest.fixture
def scene(host):
    """The application's scene."""
    import slicer

    return slicer.mrmlScene
