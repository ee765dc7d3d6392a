"""Whatever goes wrong during a run is said in a sentence, and leaves a scene that can be used."""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals, limits and scripts of POSIX are used")


@pytest.fixture
def run(panel, host, tmp_path):
    from Testing.panel.faults import Run

    return Run(host, tmp_path)


def _names() -> list[str]:
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
    from Testing.panel.faults import FAULTS

    return list(FAULTS)


@pytest.mark.parametrize("name", _names())
def test_the_panel_survives(run, name):
    from Testing.panel.faults import survive

    survive(run, name)
