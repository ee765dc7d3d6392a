"""logic.compareRegimens and the batch job that compares: scans in; scene, tables and report out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from Testing.jobs.conftest import make_patient
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.mrml.logic import TumorTwinLogic
from TumorTwinLib.mrml.pipeline import run_job, stage_titles
from TumorTwinLib.mrml.shown_forecast import find_forecast
from TumorTwinLib.recommend import DISCLAIMER

NAMES = ("gbm_rt_60_30", "recorded")
SETTINGS = {"resolution_mm": 5.0, "tolerance": 1e-2, "n_samples": 60, "n_futures": 16}


def test_nodes_in_and_compared_regimens_out():
    logic = TumorTwinLogic()
    job = logic.jobSpec(make_patient(), horizonDays=20.0, frame_every_days=10.0, **SETTINGS)
    told = []
    result = logic.compareRegimens(job, NAMES, draws=16, targetMarginMm=None, onProgress=told.append)
    assert result.status == "completed"
    assert "compare" in {progress.stage for progress in told}
    assert [outcome.name for outcome in result.comparison.outcomes] == list(NAMES)
    assert result.comparison.notes[0] == DISCLAIMER
    assert any("whole brain" in note for note in result.comparison.notes)
    assert result.comparisonNodes.table.GetNumberOfRows() == 3
    assert find_forecast("Lékař 7").tables["comparison"] is result.comparisonNodes.table
    assert set(result.comparisonNodes.maps) == {*NAMES, "untreated"}
    with pytest.raises(TumorTwinError, match="no regimen"):
        logic.compareRegimens(job, [])


class _Silent:
    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, title: str) -> None:
        self.stages.append(title)

    def update(self, share: float | None, detail: str = "") -> None:
        assert share is None or 0 <= share <= 1.001, detail


def test_a_batch_job_writes_the_comparison(repository: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("TumorTwinLib.mrml.pipeline.graphics_available", lambda: False)  # drawn in another test
    patient = repository / "Resources" / "SampleData" / "glioblastoma"
    job = JobSpec(
        patient=str(patient), horizon_days=20.0, bayesian=True, regimens=("gbm_rt_60_30",), comparison_draws=16,
        **SETTINGS | {"resolution_mm": 8.0},
    )  # fmt: skip
    progress = _Silent()
    run_job(job, tmp_path / "out", progress)
    assert tuple(progress.stages) == stage_titles(job)
    with (tmp_path / "out" / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["Regimen"] for row in rows] == ["Radiotherapy 60 Gy in 30", "No further treatment"]
    assert float(rows[0]["Volume at horizon (mL)"]) <= float(rows[1]["Volume at horizon (mL)"])
    assert "<h2>Comparison of regimens</h2>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
