"""Importing the library, or loading the module in Slicer, pulls in nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "scipy", "SimpleITK", "numba", "slicer", "vtk", "monai", "pandas", "nibabel", "matplotlib", "pydicom"}


def loaded_by(statement: str, repository) -> set[str]:
    """Top-level packages in memory after the statement, in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_importing_the_library_is_free(repository):
    assert loaded_by("import TumorTwinLib", repository) & (HEAVY | {"numpy"}) == set()


@pytest.mark.parametrize(
    "module", ["geometry", "forecast", "patient.data", "treatment.events", "segmentation.registry"]
)
def test_light_rooms_stay_light(repository, module):
    assert loaded_by(f"import TumorTwinLib.{module}", repository) & HEAVY == set()


def test_the_check_sees_a_heavy_import(repository):
    assert "SimpleITK" in loaded_by("import SimpleITK", repository)
