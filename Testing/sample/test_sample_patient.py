"""The shipped patient reads like a real one, looks like a glioblastoma, answers to treatment, and hides its truth."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

import TumorTwinLib as tt
from TumorTwinLib.patient.data import MODALITIES
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction

VISIT_FOLDERS = ("2024-03-04T0930", "2024-04-08T0745", "2024-07-08T0900", "2024-09-03T1015")
CORE_THRESHOLD, EDEMA_THRESHOLD = 0.65, 0.20


@pytest.fixture(scope="module")
def folder(repository):
    return repository / "Resources" / "SampleData" / "glioblastoma"


@pytest.fixture(scope="module")
def patient(folder):
    return tt.PatientData(imaging_dir=folder)


@pytest.fixture(scope="module")
def truth(repository):
    """Days and cellularity: the visits, then 30 to 180 days after the last."""
    with np.load(repository / "Testing" / "Data" / "glioblastoma_truth" / "density.npz") as arrays:
        return arrays["days"], arrays["density"] / 1000.0, arrays["affine"]


def millilitres(mask: np.ndarray) -> float:
    return np.count_nonzero(mask) * 0.008


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def test_the_folder_reads_without_a_notice(patient):
    assert patient.patient_id == "TT-GBM-001"
    assert patient.notices == ()
    assert [visit.time.strftime("%Y-%m-%dT%H%M") for visit in patient.visits] == list(VISIT_FOLDERS)
    grid = patient.brain_mask.grid
    assert grid.spacing_mm == pytest.approx((2.0, 2.0, 2.0))
    for visit in patient.visits:
        assert tuple(visit.images) == MODALITIES
        assert all(image.array.dtype == np.int16 and image.grid.same_as(grid) for image in visit.images.values())
        assert set(visit.regions) == {"enhancing", "necrotic_core", "edema"}
    assert set(patient.tissues) == {"white_matter", "grey_matter", "csf"}


def test_the_folder_is_small_and_holds_no_truth(folder):
    per_visit = [f"{name}.nii.gz" for name in (*MODALITIES, "segmentation")]
    shared = ["brain_mask.nii.gz", "white_matter.nii.gz", "grey_matter.nii.gz", "csf.nii.gz"]
    expected = {*shared, "treatment.csv", "patient.json", "LICENSE-NOTICE.txt"}
    expected |= {f"{visit}/{name}" for visit in VISIT_FOLDERS for name in per_visit}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.relative_to(folder).as_posix() for path in files} == expected
    assert sum(path.stat().st_size for path in files) < 8e6


def test_the_notice_of_the_template_travels_with_the_patient(folder):
    notice = " ".join((folder / "LICENSE-NOTICE.txt").read_text(encoding="utf-8").split())
    assert "Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre" in notice
    assert "provided that the above copyright notice appear in all copies" in notice
    assert "This patient does not exist" in notice


def test_radiotherapy_is_sixty_gray_on_weekday_afternoons(patient):
    fractions = [event for event in patient.treatments if isinstance(event, RadiotherapyFraction)]
    assert len(fractions) == 30
    assert sum(event.dose_gy for event in fractions) == 60.0
    assert {(event.time.hour, event.time.minute) for event in fractions} == {(14, 0)}
    assert {event.time.weekday() for event in fractions} == {0, 1, 2, 3, 4}
    assert (fractions[-1].time - fractions[0].time).days == 39  # six weeks, without the last weekend


def test_temozolomide_is_daily_then_in_six_cycles(patient):
    doses = [event for event in patient.treatments if isinstance(event, DrugDose)]
    last_fraction = max(e.time for e in patient.treatments if isinstance(e, RadiotherapyFraction))
    daily = [dose for dose in doses if dose.time < last_fraction]
    cycles = [dose for dose in doses if dose.time > last_fraction]
    assert {dose.drug for dose in doses} == {"temozolomide"}
    assert {dose.unit for dose in doses} == {"mg/m2"}
    assert [dose.amount for dose in daily] == [75.0] * 40
    assert [dose.amount for dose in cycles] == [150.0] * 5 + [200.0] * 25
    first_days = [dose.time for dose in cycles[::5]]
    assert (first_days[0].date() - last_fraction.date()).days == 28
    assert {(b - a).days for a, b in zip(first_days, first_days[1:], strict=False)} == {28}
    assert doses[-1].time > datetime(2024, 9, 3)  # the last cycle is still planned at the last visit


def test_tissues_share_the_brain_between_them(patient):
    total = sum(image.array for image in patient.tissues.values())
    brain = patient.brain_mask.array
    assert np.abs(total[brain] - 1).max() < 0.02  # three fractions rounded to hundredths
    assert not total[~brain].any()
    assert 1.2e6 < np.count_nonzero(brain) * 8 < 2.1e6  # mm3 of an adult's brain
    share = {name: image.array[brain].mean() for name, image in patient.tissues.items()}
    assert share["grey_matter"] > share["white_matter"] > share["csf"] > 0.05


def test_the_tumour_answers_to_treatment_and_comes_back(patient):
    core = [millilitres(visit.core.array) for visit in patient.visits]
    whole = [millilitres(visit.whole_tumor.array) for visit in patient.visits]
    necrotic = [millilitres(visit.regions["necrotic_core"].array) for visit in patient.visits]
    assert 12 < core[0] < 25
    assert 1.5 < whole[0] / core[0] < 4
    assert core[1] == 0  # no uptake left after half the radiotherapy
    assert 10 < whole[1] < whole[0]
    assert 0 < core[2] < core[0] < core[3]
    assert whole[1] < whole[2] < whole[3]
    assert all(0.2 < necrotic[i] / core[i] < 0.6 for i in (0, 2, 3))


def test_outlines_follow_the_truth_but_not_exactly(patient, truth):
    _, cellularity, affine = truth
    assert np.array_equal(affine, patient.brain_mask.grid.ijk_to_ras)
    for visit, density in zip(patient.visits, cellularity[:4], strict=True):
        assert 0.85 < dice(visit.whole_tumor.array, density > EDEMA_THRESHOLD) < 0.99
        if visit.core.array.any():
            assert 0.80 < dice(visit.core.array, density > CORE_THRESHOLD) < 0.99


def test_adc_in_the_outlined_tumour_reads_its_density(patient, truth):
    _, cellularity, _ = truth
    for visit, density in zip(patient.visits, cellularity[:4], strict=True):
        tumour = visit.whole_tumor.array
        error = 1 - visit.images["ADC"].array[tumour] / 3000 - density[tumour]
        assert abs(np.median(error)) < 0.01
        assert np.mean(np.abs(error) < 0.1) > 0.95


def test_no_cells_in_fluid_or_outside_the_brain(patient, truth):
    days, cellularity, _ = truth
    fluid = patient.tissues["csf"].array > 0.95
    assert not cellularity[:, ~patient.brain_mask.array].any()
    assert cellularity[:, fluid].mean() < 1e-3
    assert cellularity.max() <= 1.0
    assert days[:4] == pytest.approx(patient.visit_days)
    assert days[4:] - days[3] == pytest.approx([30, 60, 90, 120, 150, 180])
    total = cellularity[3:].sum(axis=(1, 2, 3))
    assert (np.diff(total) > 0).all()


@pytest.mark.parametrize("visit_index", [0, 2, 3])
def test_the_images_look_like_a_glioblastoma(patient, truth, visit_index):
    visit = patient.visits[visit_index]
    tissues = {name: image.array > 0.9 for name, image in patient.tissues.items()}
    healthy = truth[1][visit_index] < 0.01
    # oedema sits in white matter; the cortex beside it hardly changes
    places = {name: mask & healthy for name, mask in tissues.items()} | {
        name: region.array for name, region in visit.regions.items()
    }
    places["edema"] = places["edema"] & tissues["white_matter"]

    def mean(modality: str, place: str) -> float:
        return float(visit.images[modality].array[places[place]].mean())

    assert mean("T1", "white_matter") > mean("T1", "grey_matter") > 1.3 * mean("T1", "csf")
    assert mean("T1", "edema") < mean("T1", "white_matter")
    assert mean("T1CE", "enhancing") > 1.1 * mean("T1CE", "white_matter") > 1.3 * mean("T1CE", "necrotic_core")
    assert mean("T2", "csf") > mean("T2", "edema") > 1.3 * mean("T2", "white_matter")
    assert mean("FLAIR", "edema") > 1.3 * mean("FLAIR", "white_matter") > 2 * mean("FLAIR", "csf")
    assert mean("ADC", "csf") > 2500
    assert 1000 > mean("ADC", "grey_matter") > mean("ADC", "white_matter") > 600
    assert mean("ADC", "edema") > 1.5 * mean("ADC", "white_matter")
    noise = {name: image.array[places["white_matter"]] for name, image in visit.images.items()}
    assert all(0.01 < values.std() / values.mean() < 0.15 for values in noise.values())


def remake(repository, *options: str) -> str:
    pytest.importorskip("nilearn", reason="nilearn is absent: pip install -e '.[sample]'")
    script = repository / "Resources" / "SampleData" / "make_glioblastoma.py"
    done = subprocess.run([sys.executable, script, "--check", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_images_are_remade_from_the_truth_voxel_for_voxel(repository):
    assert "as remade" in remake(repository, "--from-truth")


@pytest.mark.study
def test_the_tumour_is_grown_anew_voxel_for_voxel(repository):
    assert "as remade" in remake(repository)
