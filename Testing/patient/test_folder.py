"""A folder of dated visits becomes a patient with nothing rounded, guessed or changed."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import TumorTwinLib as tt
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery
from TumorTwinLib.volume_files import VOLUME_SUFFIXES, read_volume, write_volume


def rename(folder: Path, old: str, new: str) -> None:
    (folder / old).rename(folder / new)


def test_the_documented_call_reads_the_whole_folder(patient_folder, make_head, grid):
    patient = tt.PatientData(
        patient_id="GBM_001", imaging_dir=patient_folder, treatment_file=patient_folder / "treatment.csv"
    )
    assert patient.patient_id == "GBM_001"
    assert patient.body_surface_area_m2 == 1.85
    assert patient.visit_days == pytest.approx((0.0, 37 + 14 / 24))
    assert patient.notices == ()
    expected = make_head(grid)
    first = patient.visits[0]
    assert set(first.images) == {"T1", "T1CE", "FLAIR", "ADC"}
    for modality, image in first.images.items():
        assert np.array_equal(image.array, expected[modality])
        assert image.grid.same_as(grid)
    assert np.array_equal(first.core.array, np.isin(expected["seg"], (1, 4)))
    assert np.array_equal(first.whole_tumor.array, expected["seg"] > 0)
    assert first.images["ADC"].unit == "1e-6 mm2/s"
    assert patient.brain_mask.array.dtype == bool


def test_events_keep_their_minute_and_their_number(patient_folder):
    patient = tt.PatientData(imaging_dir=patient_folder)
    assert [(type(event), round(patient.day(event.time), 4)) for event in patient.treatments] == [
        (DrugDose, 15.0),
        (RadiotherapyFraction, 15.5833),
        (RadiotherapyFraction, 16.3333),
        (RadiotherapyFraction, 16.6667),
        (Surgery, 28.0),
    ]


def test_arguments_outrank_the_folder(patient_folder, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("date,kind,name,amount,unit\n2024-03-09,drug,TMZ,100,mg\n")
    patient = tt.PatientData("X", patient_folder, other, body_surface_area_m2=2.0, notices=["seen"])
    assert patient.patient_id == "X"
    assert patient.treatments == (DrugDose(datetime(2024, 3, 9), "temozolomide", 100.0, "mg"),)
    assert patient.body_surface_area_m2 == 2.0
    assert patient.notices == ("seen",)


def test_without_the_optional_files_the_folder_gives_the_name(patient_folder):
    (patient_folder / "patient.json").unlink()
    (patient_folder / "treatment.csv").unlink()
    patient = tt.PatientData(imaging_dir=patient_folder)
    assert (patient.patient_id, patient.treatments, patient.body_surface_area_m2) == ("GBM_001", (), None)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_every_format_gives_the_same_patient(tmp_path, make_patient, patient_folder, suffix):
    patient = tt.PatientData(imaging_dir=make_patient(tmp_path / "other", suffix=suffix))
    reference = tt.PatientData(imaging_dir=patient_folder)
    for visit, expected in zip(patient.visits, reference.visits, strict=True):
        for name, image in expected.images.items():
            assert np.array_equal(visit.images[name].array, image.array)
            assert visit.images[name].grid.same_as(image.grid)
        assert np.array_equal(visit.whole_tumor.array, expected.whole_tumor.array)


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("T1c", "T1CE"),
        ("UPENN-GBM-00001_11_T1GD", "T1CE"),
        ("BraTS-GLI-00005-000-t1n", "T1"),
        ("t1_post_contrast", "T1CE"),
        ("T1-pre", "T1"),
        ("T2_flair", "FLAIR"),
        ("case.t2f", "FLAIR"),
        ("t2w", "T2"),
        ("DWI_ADC_map", "ADC"),
    ],
)
def test_names_in_use_are_understood(patient_folder, name, modality):
    visit = patient_folder / "2024-03-05"
    for file in visit.iterdir():
        if not file.name.startswith("seg"):
            file.rename(visit / "ADC.nii.gz") if file.name.startswith("ADC") else file.unlink()
    rename(visit, "ADC.nii.gz", f"{name}.nii.gz")
    assert set(tt.PatientData(imaging_dir=patient_folder).visits[0].images) == {modality}


def test_a_segmentation_named_after_its_image_is_a_segmentation(patient_folder):
    rename(patient_folder / "2024-03-05", "seg.nii.gz", "T1CE_tumor_segmentation.nii.gz")
    assert tt.PatientData(imaging_dir=patient_folder).visits[0].core is not None


def test_masks_may_stand_in_for_the_label_map(patient_folder):
    visit = patient_folder / "2024-03-05"
    labels = read_volume(visit / "seg.nii.gz")
    (visit / "seg.nii.gz").unlink()
    for name, label in (("necrotic_core", 1), ("edema_mask", 2), ("enhancing", 4), ("Non-enhancing", 9)):
        write_volume(Image((labels.array == label) * np.uint8(255), labels.grid), visit / f"{name}.nii.gz")
    first = tt.PatientData(imaging_dir=patient_folder).visits[0]
    assert set(first.regions) == {"enhancing", "necrotic_core", "edema", "non_enhancing"}
    assert np.array_equal(first.core.array, np.isin(labels.array, (1, 4)))
    assert not first.regions["non_enhancing"].array.any()


def test_tissue_maps_are_read(patient_folder, grid):
    write_volume(Image(np.full(grid.shape, 0.25, np.float32), grid), patient_folder / "Gray_Matter.nrrd")
    tissues = tt.PatientData(imaging_dir=patient_folder).tissues
    assert {name: float(image.array.max()) for name, image in tissues.items()} == {"grey_matter": 0.25}


def test_unknown_volumes_are_left_out_and_named(patient_folder):
    shutil.copy(patient_folder / "brain_mask.nii.gz", patient_folder / "2024-03-05" / "perfusion.nii.gz")
    (notice,) = tt.PatientData(imaging_dir=patient_folder).notices
    assert str(patient_folder / "2024-03-05" / "perfusion.nii.gz") in notice


def test_visits_csv_names_and_dates_the_visits(patient_folder):
    rename(patient_folder, "2024-03-05", "baseline")
    rename(patient_folder, "2024-04-11T1400_follow-up", "week 5")
    (patient_folder / "visits.csv").write_text("date,folder\n2024-03-05T09:00,baseline\n2024-04-11,week 5\n")
    assert tt.PatientData(imaging_dir=patient_folder).visit_days == pytest.approx((0.0, 36 + 15 / 24))


def test_a_second_visit_of_the_same_day_needs_only_a_time(patient_folder):
    shutil.copytree(patient_folder / "2024-03-05", patient_folder / "2024-03-05T1830")
    assert tt.PatientData(imaging_dir=patient_folder).visit_days[:2] == pytest.approx((0.0, 18.5 / 24))


def test_what_the_caller_holds_is_not_changed(patient_folder):
    read = tt.PatientData(imaging_dir=patient_folder)
    visit = read.visits[0]
    adc = Image((visit.images["ADC"].array * 1e-3).astype(np.float32), visit.images["ADC"].grid, "ADC")
    given = tt.Visit(visit.time, {**visit.images, "ADC": adc}, dict(visit.regions))
    arrays = [adc.array, read.brain_mask.array, *(mask.array for mask in visit.regions.values())]
    before = [array.copy() for array in arrays]
    treatments = list(reversed(read.treatments))
    patient = tt.PatientData(visits=[given], brain_mask=read.brain_mask, treatments=treatments)
    assert patient.visits[0].images["ADC"].array.max() == pytest.approx(1200)
    assert given.images["ADC"] is adc
    assert treatments == list(reversed(read.treatments))
    for array, copy in zip(arrays, before, strict=True):
        assert np.array_equal(array, copy)


def test_doses_in_mg_alone_take_a_standard_body_surface_area(patient_folder):
    (patient_folder / "patient.json").unlink()
    (patient_folder / "treatment.csv").write_text("date,kind,name,amount,unit\n2024-03-09,drug,TMZ,100,mg\n")
    patient = tt.PatientData(imaging_dir=patient_folder)
    assert patient.body_surface_area_m2 == 1.73
    assert "1.73 m2 was assumed" in patient.notices[0]


def test_a_folder_and_parts_in_memory_are_not_mixed(patient_folder):
    patient = tt.PatientData(imaging_dir=patient_folder)
    with pytest.raises(TumorTwinError, match="one or the other"):
        tt.PatientData(imaging_dir=patient_folder, brain_mask=patient.brain_mask)
    with pytest.raises(TumorTwinError, match="one or the other"):
        tt.PatientData(
            visits=patient.visits,
            brain_mask=patient.brain_mask,
            treatments=patient.treatments,
            treatment_file=patient_folder / "treatment.csv",
        )
