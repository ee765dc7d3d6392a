"""Whatever goes wrong during a run is said in a sentence, and leaves a scene that can be used."""

from __future__ import annotations

import os

import pytest

from Testing.panel.faults import FAULTS, Run, survive

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals, limits and scripts of POSIX are used")


@pytest.fixture
def run(panel, host, tmp_path):
    return Run(host, tmp_path)


@pytest.mark.parametrize("name", FAULTS)
def test_the_panel_survives(run, name):
    survive(run, name)
