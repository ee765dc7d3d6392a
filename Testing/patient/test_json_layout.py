"""The JSON layout, on a toy and on the virtual gliomas it comes from."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

import TumorTwinLib as tt
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction

# Facts of the virtual patients, measured with other programs: enhancing volume in cm3 at visits 1 to 10.
VOLUMES_CM3 = {
    "001": (201.1, 319.2, 337.7, 397.9, 485.1, 568.0, 651.0, 728.7, 804.8, 880.6),
    "002": (201.1, 461.9, 650.3, 868.0, 1093.9, 1300.2, 1426.2, 1427.8, 1427.8, 1427.8),
    "003": (201.1, 391.5, 529.7, 692.7, 855.4, 1010.2, 1159.5, 1298.2, 1407.0, 1427.8),
}
MEAN_ADC_001 = (2404, 2600, 2936, 2905, 2732, 2514, 2294, 2095, 1915, 1748)


def change(path, **entries) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_a_toy_patient_is_read(patient_json):
    patient = tt.PatientData(imaging_dir=patient_json)
    assert patient.patient_id == "HGG_toy"
    assert patient.visit_days == pytest.approx((0.0, 37 + 14 / 24))
    assert [set(visit.regions) for visit in patient.visits] == [{"enhancing"}, {"enhancing"}]
    assert [set(visit.images) for visit in patient.visits] == [{"ADC"}, {"ADC"}]
    dose, fraction = patient.treatments
    assert (dose.drug, dose.amount, dose.unit) == ("temozolomide", 105.0, "mg")
    assert patient.day(fraction.time) == pytest.approx(15.5833, abs=5e-5)


def test_a_named_drug_is_that_drug(patient_json):
    change(patient_json, chemotherapy=[{"time": "2024-03-20", "dose": 140, "units": "mg", "type": "taxol"}])
    assert tt.PatientData(imaging_dir=patient_json).treatments[0].drug == "paclitaxel"


def test_everything_optional_may_be_absent(patient_json):
    layout = json.loads(patient_json.read_text())
    bare = [{"time": visit["time"], "roi_enhance": visit["roi_enhance"]} for visit in layout["visits"]]
    patient_json.write_text(json.dumps({"brainmask": "brainmask.nii.gz", "visits": bare}))
    patient = tt.PatientData(imaging_dir=patient_json)
    assert patient.treatments == ()
    assert patient.visits[0].images == {}


def test_a_treatment_file_replaces_the_entries(patient_json, tmp_path):
    (tmp_path / "other.csv").write_text("date,kind,name,amount,unit\n2024-03-09,radiotherapy,,3,Gy\n")
    patient = tt.PatientData(imaging_dir=patient_json, treatment_file=tmp_path / "other.csv")
    assert [event.dose_gy for event in patient.treatments] == [3.0]


@pytest.mark.parametrize("number", VOLUMES_CM3)
def test_the_virtual_gliomas_hold_what_is_known_of_them(data_dir, number):
    name = f"HGG_demo_{number}"
    patient = tt.PatientData(imaging_dir=data_dir / "hgg" / name / f"{name}.json")
    assert patient.patient_id == name
    assert patient.visit_days == tuple(range(0, 271, 30))
    assert patient.brain_mask.grid.shape == (90, 116, 36)
    assert patient.brain_mask.grid.spacing_mm == pytest.approx((1.5, 1.5, 3.0))
    assert patient.brain_mask.array.sum() == 216_546
    assert set(patient.visits[0].images) == {"T1", "T1CE", "FLAIR", "ADC"}
    assert "and 33 more" in patient.notices[0]

    fractions = [event for event in patient.treatments if isinstance(event, RadiotherapyFraction)]
    doses = [event for event in patient.treatments if isinstance(event, DrugDose)]
    assert [event.dose_gy for event in fractions] == [2.0] * 30
    assert (patient.day(fractions[0].time), patient.day(fractions[-1].time)) == (26.0, 65.0)
    assert [event.amount for event in doses] == [105.0] * 49 + [215.0] * 25
    assert [patient.day(event.time) for event in doses[:49]] == list(range(26, 75))
    assert {(event.drug, event.unit) for event in doses} == {("temozolomide", "mg")}

    for visit, volume_cm3 in zip(patient.visits, VOLUMES_CM3[number], strict=True):
        mask = visit.regions["enhancing"]
        assert mask.array.sum() * mask.grid.voxel_volume_mm3 / 1000 == pytest.approx(volume_cm3, abs=0.05)
        assert not visit.regions["non_enhancing"].array.any()


def test_adc_stays_as_stored(data_dir):
    folder = data_dir / "hgg" / "HGG_demo_001"
    patient = tt.PatientData(imaging_dir=folder / "HGG_demo_001.json")
    for number, (visit, mean) in enumerate(zip(patient.visits, MEAN_ADC_001, strict=True), start=1):
        adc = visit.images["ADC"]
        stored = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"ADC_v{number}.nii.gz")))
        assert np.array_equal(adc.array, stored.transpose(2, 1, 0))
        assert adc.unit == "1e-6 mm2/s"
        assert adc.array[visit.regions["enhancing"].array].mean() == pytest.approx(mean, abs=0.5)
