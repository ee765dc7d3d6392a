"""What the Slicer extensions index and a newcomer look for in the repository."""

from __future__ import annotations

import json
import os
import re
import tomllib

import pytest

import TumorTwinLib

REPOSITORY_URL = "https://github.com/TumorTwin/SlicerTumorTwin"


@pytest.fixture(scope="module")
def metadata(repository):
    """EXTENSION_* values, read as the index reads them: one line each, a literal in double quotes."""
    text = (repository / "CMakeLists.txt").read_text()
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"\n]*)"\)', text, re.MULTILINE))


def test_metadata_is_complete(metadata):
    expected = {"HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"}
    assert set(metadata) == expected
    assert all(metadata.values())
    assert "${" not in "".join(metadata.values())
    assert metadata["HOMEPAGE"] == REPOSITORY_URL
    assert metadata["DEPENDS"] == "PyTorch"


def test_picture_urls_name_files_of_this_repository(metadata, repository):
    prefix = REPOSITORY_URL.replace("github.com", "raw.githubusercontent.com") + "/main/"
    for url in [metadata["ICONURL"], *metadata["SCREENSHOTURLS"].split()]:
        assert url.startswith(prefix)
        assert url.endswith(".png")
    assert (repository / metadata["ICONURL"].removeprefix(prefix)).is_file()


def test_names_agree(repository, metadata):
    project = re.search(r"^project\((\w+)\)", (repository / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
    assert (repository / project / f"{project}.py").is_file()
    assert f"set(MODULE_NAME {project})" in (repository / project / "CMakeLists.txt").read_text()
    catalog = json.loads((repository / "docs" / f"{project}.json").read_text())
    assert catalog["scm_url"] == f"{REPOSITORY_URL}.git"
    assert catalog["build_dependencies"] == metadata["DEPENDS"].split()


def test_icons_are_png_of_128_pixels(repository):
    for name in ("Resources/TumorTwin.png", "TumorTwin/Resources/Icons/TumorTwin.png"):
        header = (repository / name).read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(header[16:20], "big") == int.from_bytes(header[20:24], "big") == 128


def test_licence_is_apache_in_every_place(repository):
    text = (repository / "LICENSE.txt").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "license: Apache-2.0" in (repository / "CITATION.cff").read_text()
    assert tomllib.loads((repository / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"


def test_version_is_the_same_in_the_citation(repository):
    assert f"\nversion: {TumorTwinLib.__version__}\n" in (repository / "CITATION.cff").read_text()


@pytest.mark.parametrize("file", ["README.md", "CITATION.cff", "TumorTwin/TumorTwin.py"])
def test_the_namesake_is_named(repository, file):
    text = (repository / file).read_text()
    assert "OncologyModelingGroup" in text
    assert "2505.00670" in text


@pytest.mark.parametrize("name", TumorTwinLib.__all__)
def test_every_public_name_loads(name):
    assert getattr(TumorTwinLib, name) is not None


def test_continuous_integration_runs_the_readme_test_command(repository):
    script = repository / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "\nmake test\n" in script.read_text()
    assert "\nmake test" in (repository / "README.md").read_text()


def test_make_targets_of_the_readme_exist(repository):
    targets = set(re.findall(r"^([a-z0-9.-]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z0-9.-]+)", (repository / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_runtime_requirements_follow_slicer_rules(repository):
    """Floors instead of pins, and never torch (the PyTorch extension installs it)."""
    lines = (repository / "TumorTwin/Resources/requirements.txt").read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[0-9.]+", requirement)
        assert not requirement.startswith("torch")
