"""The extension configures, and what it installs is complete: the library imports from there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CMAKE = shutil.which("cmake", path=str(Path(sys.executable).parent)) or shutil.which("cmake")
STAND_IN = Path(__file__).parent / "slicer_stand_in"


@pytest.fixture(scope="module")
def installed(repository, tmp_path_factory):
    """qt-scripted-modules as Slicer would have it after installing the extension."""
    if CMAKE is None:
        pytest.skip("cmake is absent: run make setup")
    folder = tmp_path_factory.mktemp("extension")
    # the extension compiles nothing, so no compiler is asked for
    ends = ("=/bin/true", "_FORCED=1")
    no_compiler = [f"-DCMAKE_{language}_COMPILER{end}" for language in ("C", "CXX") for end in ends]
    commands = (
        [CMAKE, "-S", repository, "-B", folder / "build", f"-DSlicer_DIR={STAND_IN}", *no_compiler],
        [CMAKE, "--install", folder / "build", "--prefix", folder / "install"],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "install" / "qt-scripted-modules"


def test_the_module_the_library_and_the_patient_are_side_by_side(installed):
    assert (installed / "TumorTwin.py").is_file()
    assert (installed / "Resources/Icons/TumorTwin.png").is_file()
    assert (installed / "Resources/requirements.txt").is_file()
    assert (installed / "TumorTwinLib/geometry.py").is_file()
    assert (installed / "Scripts/tumor_twin_pipeline.py").is_file()
    assert (installed / "Resources/SampleData/glioblastoma/treatment.csv").is_file()


def test_every_library_module_was_installed(installed, repository):
    def modules(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in (root / "TumorTwinLib").rglob("*.py")}

    assert modules(installed) == modules(repository)


def test_the_library_imports_from_the_installed_place(installed):
    code = "import TumorTwinLib.geometry as g; print(g.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == installed / "TumorTwinLib/geometry.py"


def test_the_models_are_found_from_the_installed_place(installed):
    code = "import TumorTwinLib.segmentation.folders as f; print(f.shipped_models_folder())"
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == installed / "Resources/Models"
    assert (installed / "Resources/Models/tumortwin_brain.json").is_file()


def test_only_python_files_at_the_top_are_slicer_modules(installed):
    """Slicer loads every Python file at the top of this folder as a module."""
    assert [path.name for path in installed.glob("*.py")] == ["TumorTwin.py"]
