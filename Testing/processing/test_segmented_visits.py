"""Visits without outlines go through a network; a patient who is ready is outlined anew by the one that is named."""

from __future__ import annotations

import numpy as np
import pytest

import TumorTwinLib as tt
from Testing.processing.small_head import distance_mm, labels, write_visit
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.metrics import dice
from TumorTwinLib.processing.resegment import segment_patient

RADIUS_MM = 18.0
FOUR = ["T1", "T1CE", "T2", "FLAIR"]


@pytest.fixture
def raw(tmp_path):
    write_visit(tmp_path / "raw" / "2024-03-05", RADIUS_MM, outlined=False)
    return tmp_path / "raw"


@pytest.fixture(autouse=True)
def still_atlas(monkeypatch):
    from TumorTwinLib.processing import anatomy
    from TumorTwinLib.processing.record import Made

    quality = dict.fromkeys(("agreement", "contrast", "spread_mm", "overlap", "coverage"), 1.0)
    values = {"matrix_ras": np.eye(4).tolist(), "warning": "", "quality": quality}
    monkeypatch.setattr(anatomy, "place_atlas", lambda scan: Made(values=values))


def pipeline(model: str, **settings) -> tt.ImagingPipeline:
    return tt.ImagingPipeline(modalities=FOUR, spacing_mm=4.0, segmentation_model=model, device="cpu", **settings)


def truth() -> np.ndarray:
    return labels(RADIUS_MM).array > 0


def test_a_network_outlines_what_nobody_has(raw, tmp_path, bright_model):
    processed = pipeline(bright_model).process(raw, tmp_path / "out")
    found = processed["scan_baseline"].whole_tumor
    assert dice(found.array, truth()) > 0.9
    probability = tmp_path / "out" / "confidence" / "2024-03-05" / "whole_tumor_probability.nii.gz"
    sd_mm = probability.with_name("whole_tumor_boundary_sd_mm.nii.gz")
    assert (tt.PatientData(imaging_dir=tmp_path / "out").notices, probability.is_file(), sd_mm.is_file()) == (
        (), True, True,
    )  # fmt: skip
    table = (tmp_path / "out" / "features.csv").read_text(encoding="utf-8").splitlines()
    column = table[0].split(",").index("volume_sd_ml")
    whole = next(row.split(",") for row in table if ",whole_tumor," in row)
    assert float(whole[column]) > 0
    assert pipeline(bright_model).process(raw, tmp_path / "out").computed == ()


def test_outlines_are_replaced_only_when_asked(tmp_path, bright_model):
    write_visit(tmp_path / "raw" / "2024-03-05", RADIUS_MM)
    kept = pipeline(bright_model).process(tmp_path / "raw", tmp_path / "out")
    assert set(kept["scan_baseline"].regions) == {"necrotic_core", "edema", "enhancing"}
    assert kept["scan_baseline"].regions["enhancing"].array.any()
    replaced = pipeline(bright_model, replace_outlines=True).process(tmp_path / "raw", tmp_path / "out")
    assert not replaced["scan_baseline"].regions["enhancing"].array.any()
    assert replaced["scan_baseline"].whole_tumor.array.any()


def test_a_scan_that_the_network_needs_is_named(tmp_path, bright_model):
    write_visit(tmp_path / "raw" / "2024-03-05", RADIUS_MM, scans=("t1", "flair"), outlined=False)
    with pytest.raises(TumorTwinError, match="needs T1CE and T2"):
        pipeline(bright_model).process(tmp_path / "raw", tmp_path / "out")


def test_cancelled_within_a_segmentation(raw, tmp_path, bright_model):
    stop = []
    with pytest.raises(CancelledError):
        pipeline(bright_model).process(
            raw,
            tmp_path / "out",
            on_progress=lambda progress: stop.append(1) if progress.step == "segment 2024-03-05" else None,
            cancelled=lambda: bool(stop),
        )
    assert not (tmp_path / "out" / "2024-03-05" / "seg.nii.gz").exists()


@pytest.fixture
def ready(raw, tmp_path, bright_model) -> tt.PatientData:
    return pipeline(bright_model).process(raw, tmp_path / "out").patient


def test_a_ready_patient_is_outlined_anew_and_once(ready, tmp_path, bright_model):
    wrong = tt.Image(distance_mm() < 10, ready.brain_mask.grid, "wrong")
    visits = [tt.Visit(visit.time, visit.images, {"enhancing": wrong}) for visit in ready.visits]
    patient = tt.PatientData("P", visits=visits, brain_mask=ready.brain_mask, tissues=ready.tissues)
    told = []
    for expected in (True, False):
        told.clear()
        again = segment_patient(
            patient, bright_model, tmp_path / "again", device="cpu", on_progress=lambda done, total: told.append(done)
        )
        assert dice(again.visits[0].whole_tumor.array, truth()) > 0.9
        assert (len(told) > 1) is expected
    assert again.tissues.keys() == patient.tissues.keys()


def test_a_visit_without_the_scans_keeps_its_outline(ready, tmp_path, bright_model):
    visit = ready.visits[0]
    flair = {"FLAIR": visit.images["FLAIR"]}
    patient = tt.PatientData("P", visits=[tt.Visit(visit.time, flair, visit.regions)], brain_mask=ready.brain_mask)
    kept = segment_patient(patient, bright_model, tmp_path / "again", device="cpu")
    assert kept.visits[0].regions is visit.regions
    assert "no T1 and no T1CE and no T2: its outline was kept" in " ".join(kept.notices)
    patient = tt.PatientData("P", visits=[tt.Visit(visit.time, flair)], brain_mask=ready.brain_mask)
    with pytest.raises(TumorTwinError, match="no outline of its own"):
        segment_patient(patient, bright_model, tmp_path / "again", device="cpu")
