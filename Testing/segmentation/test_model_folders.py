"""Models are found from a checkout and from a wheel, and the user's go where the platform keeps data of programs."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from TumorTwinLib.segmentation.folders import shipped_models_folder, user_models_folder


def test_a_checkout_has_its_models(repository):
    assert shipped_models_folder() == repository / "Resources" / "Models"


def test_a_wheel_has_the_models_where_they_are_looked_for(repository, tmp_path):
    version = importlib.metadata.version("setuptools") if shutil.which("pip") else "0"
    if int(version.partition(".")[0]) < 77:
        pytest.skip("setuptools 77 or later is absent: a wheel cannot be built offline")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE.txt", "TumorTwin/Resources/requirements.txt"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, tmp_path / "source" / name)
    for name in ("TumorTwinLib", "Resources/Models"):
        ignored = shutil.ignore_patterns("__pycache__", "*.pt", "training")
        shutil.copytree(repository / name, tmp_path / "source" / name, ignore=ignored)
    (tmp_path / "source/Resources/Models/tumortwin_brain.pt").write_bytes(b"weights")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", tmp_path, "."]
    subprocess.run(build, cwd=tmp_path / "source", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    assert [path.name for path in (tmp_path / "site").glob("*[!o]")] == ["TumorTwinLib"]  # beside the .dist-info
    code = "import TumorTwinLib.segmentation.folders as f; print(f.shipped_models_folder())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "site", capture_output=True, text=True, check=True
    )
    folder = Path(done.stdout.strip())
    assert folder.is_relative_to(tmp_path / "site")
    expected = {path.name for path in shipped_models_folder().glob("*.json")} | {"tumortwin_brain.pt"}
    assert {path.name for path in folder.iterdir()} == expected


def test_the_user_chooses_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TUMORTWIN_MODELS", str(tmp_path / "shared models"))
    assert user_models_folder() == tmp_path / "shared models"


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("win32", "LOCALAPPDATA", "base/TumorTwin/Models"),
        ("linux", "XDG_DATA_HOME", "base/TumorTwin/Models"),
        ("win32", None, "home/AppData/Local/TumorTwin/Models"),
        ("linux", None, "home/.local/share/TumorTwin/Models"),
        ("darwin", None, "home/Library/Application Support/TumorTwin/Models"),
    ],
)
def test_each_platform_has_its_place(monkeypatch, tmp_path, platform, variable, expected):
    for name in ("TUMORTWIN_MODELS", "LOCALAPPDATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, str(tmp_path / "base"))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert user_models_folder() == tmp_path / expected
