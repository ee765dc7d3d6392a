"""Advanced: priors, device, packages, and the folders of jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import slicer

from TumorTwinLib.jobs.processes import worker_command, worker_environment
from TumorTwinLib.jobs.result_store import read_result
from TumorTwinLib.models.glioblastoma import PARAMETERS

PATIENCE_S = 300


@pytest.fixture
def section(ui, host, phantom):
    host.click(ui.advancedSection)
    return ui


def test_the_priors_are_the_models_own(section, host):
    assert section.priorTable.rowCount == len(PARAMETERS)
    for row, parameter in enumerate(PARAMETERS):
        assert section.priorTable.item(row, 0).text() == parameter.description
        assert section.priorTable.item(row, 1).text() == f"{parameter.median:g}"
        assert section.priorTable.item(row, 3).text() == parameter.unit
        assert parameter.source in section.priorTable.item(row, 0).toolTip()
    assert host.cut_off() == []
    with pytest.raises(AssertionError, match="cannot be edited"):
        host.edit_cell(section.priorTable, 0, 1, "5")


def test_solver_settings_are_kept(section, host, panel):
    host.type(section.resolutionSpinBox, "2.5")
    host.type(section.toleranceSpinBox, "0.01")
    host.type(section.calibrationVisitsSpinBox, "2")
    parameters = panel.panel.parameters
    assert (parameters.resolutionMm, parameters.tolerance, parameters.calibrationVisits) == (2.5, 0.01, 2)
    assert section.calibrationVisitsSpinBox.specialValueText == "All"


def test_packages_are_named_with_their_versions(section):
    import numba

    assert f"numba {numba.__version__}" in section.packagesLabelText.text
    assert section.packagesLabelText.text.startswith("TumorTwin 0.")


def test_the_device_belongs_to_the_computer(section, host, repository, scene):
    host.choose(section.deviceCombo, "cuda")
    assert slicer.util.settingsValue("TumorTwin/Device", "") == "cuda"
    scene.Clear(0)
    host.process_events()
    assert section.deviceCombo.currentText == "cuda"
    ui = host.load_module(repository / "TumorTwin" / "TumorTwin.py").ui
    assert ui.deviceCombo.currentText == "cuda"


def test_cuda_without_torch_names_the_extension(section, host):
    host.packages.absent.add("torch")
    host.choose(section.deviceCombo, "cuda")
    host.click(section.applyButton)
    assert section.statusLabel.text.startswith("The device cuda needs PyTorch: install the PyTorch extension")
    assert section.applyButton.text == "Apply"


def test_neither_numba_nor_torch_is_asked_for_before_apply(section, host):
    host.packages.absent |= {"numba", "torch"}
    assert host.packages.calls == []
    host.desk.answers.append(slicer.app.style() and 0x00400000)  # Cancel
    host.click(section.applyButton)
    assert "numba" in host.messages[0].text
    assert section.statusLabel.text.startswith("numba is needed and was not installed: press Apply again")
    assert section.applyButton.text == "Apply"
    host.click(section.applyButton)  # and now the user agrees
    assert ("pip_install", {"requirements": ["numba>=0.64"]}) in host.packages.calls
    host.wait_until(lambda: section.applyButton.text == "Apply", PATIENCE_S)
    assert section.statusLabel.text.startswith("Done in ")


def test_one_of_numba_and_torch_is_enough(section, host):
    host.packages.absent.add("torch")
    host.click(section.applyButton)
    assert section.applyButton.text == "Cancel"
    assert host.packages.calls == []


def test_an_installation_that_fails_is_a_sentence(section, host):
    host.packages.absent |= {"numba", "torch"}
    host.packages.fails_with = subprocess.CalledProcessError(1, "pip")
    host.click(section.applyButton)
    assert "see Offline installation in the README" in section.statusLabel.text


def test_a_saved_job_runs_elsewhere(section, host, tmp_path):
    host.desk.files.append(str(tmp_path))
    host.click(section.saveJobButton)
    assert section.statusLabel.text == f"Saved. To run it: python -m TumorTwinLib.jobs.worker run {tmp_path}"
    done = subprocess.run(
        worker_command(tmp_path, sys.executable), env=worker_environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert read_result(tmp_path).forecast.days[-1] == pytest.approx(110)


def test_a_folder_with_files_is_not_filled(section, host, tmp_path):
    (tmp_path / "thesis.txt").write_text("chapter 1")
    host.desk.files.extend([str(tmp_path), ""])
    host.click(section.saveJobButton)
    assert section.statusLabel.text == f"{tmp_path} is not empty: choose an empty folder."
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    host.click(section.saveJobButton)


def test_jobs_leave_folders_that_can_be_opened_and_deleted(section, panel, host, monkeypatch):
    assert not section.openJobButton.isEnabled()
    host.click(section.applyButton)
    host.wait_until(lambda: section.applyButton.text == "Apply", PATIENCE_S)
    folder = Path(panel.panel.parameters.jobFolder)
    opened = []
    import qt

    monkeypatch.setattr(qt.QDesktopServices, "openUrl", staticmethod(lambda url: opened.append(url.toLocalFile())))
    host.click(section.openJobButton)
    assert opened == [str(folder)]
    host.click(section.deleteJobsButton)
    assert section.statusLabel.text.startswith("Deleted ")
    assert not folder.exists()
    assert not section.openJobButton.isEnabled()
    assert panel.panel.results.forecast.day_count == 6  # the scene keeps its results


def test_the_report_is_one_file(section, panel, host, tmp_path):
    host.click(section.applyButton)
    host.wait_until(lambda: section.applyButton.text == "Apply", PATIENCE_S)
    host.click(section.resultsSection)
    path = tmp_path / "report.html"
    host.desk.files.extend([str(path), str(tmp_path / "no folder" / "report.html"), ""])
    host.click(section.reportButton)
    assert section.statusLabel.text == f"Wrote {path}."
    assert "Phantom" in path.read_text(encoding="utf-8")
    host.click(section.reportButton)
    assert "No such file" in section.statusLabel.text
    host.click(section.reportButton)
