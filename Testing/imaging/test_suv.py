"""PET becomes SUV by the header alone; what is missing or contradictory is named."""

from __future__ import annotations

import math

import numpy as np
import pydicom
import pytest

from Testing.imaging.dicom_phantom import pet_tags, ramp, tracer, write_series
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.load_visits import load_visits
from TumorTwinLib.imaging.scan_folder import scan_folder

ARRAY = ramp((6, 5, 4))
HALF_LIFE_S = 6586.2
DOSE_BQ, WEIGHT_G = 3.7e8, 70e3
BQML = ARRAY * 0.5  # the slope of the headers
HOUR = 3600.0


def suv(folder, per_slice=None, modality="PET", **changes) -> np.ndarray:
    write_series(folder, ARRAY, "PET WB", per_slice=per_slice, **pet_tags(**changes))
    index = scan_folder(folder)
    (series,) = index.series
    (visit,) = load_visits(index.confirm({series.key: modality}))
    assert visit.images[modality].unit == "g/mL"
    return visit.images[modality].array


def expected(seconds: float) -> np.ndarray:
    """SUV of the images by hand, with the dose decayed for so long."""
    return BQML * WEIGHT_G / (DOSE_BQ * 0.5 ** (seconds / HALF_LIFE_S))


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return np.allclose(found, wanted, rtol=1e-6)


def test_corrected_to_the_start_of_the_scan(tmp_path):
    assert close(suv(tmp_path), expected(HOUR))  # injected 08:35, series 09:35


def test_beds_acquired_later_refer_to_the_same_start(tmp_path):
    found = suv(tmp_path, per_slice=lambda k: {"AcquisitionTime": f"09{35 + 3 * k}00"})
    assert close(found, expected(HOUR))


def test_each_slice_has_its_own_slope(tmp_path):
    found = suv(tmp_path, per_slice=lambda k: {"RescaleSlope": 0.5 * (k + 1)})
    assert close(found, expected(HOUR) * np.arange(1, 5))


def test_corrected_to_the_injection(tmp_path):
    assert close(suv(tmp_path, DecayCorrection="ADMIN"), expected(0))


def test_not_corrected_uses_the_mean_activity_of_each_frame(tmp_path):
    found = suv(
        tmp_path,
        DecayCorrection="NONE",
        CorrectedImage=["ATTN"],
        per_slice=lambda k: {"AcquisitionTime": f"09{35 + 5 * k}00", "ActualFrameDuration": 300000},
    )
    decay = math.log(2) / HALF_LIFE_S
    for k in range(4):
        start = HOUR + 300 * k
        mean = DOSE_BQ * math.exp(-decay * start) * (1 - math.exp(-decay * 300)) / (decay * 300)  # the dose's mean
        assert close(found[:, :, k], BQML[:, :, k] * WEIGHT_G / mean)


def test_a_series_time_rewritten_by_postprocessing_is_not_believed(tmp_path):
    """The reference then comes from the frame's reference time: acquisition + mean activity time - reference time."""
    found = suv(tmp_path, SeriesTime="170000", FrameReferenceTime=60000.0, ActualFrameDuration=120000)
    decay = math.log(2) / HALF_LIFE_S
    mean_s = math.log(decay * 120 / (1 - math.exp(-decay * 120))) / decay
    assert close(found, expected(HOUR + mean_s - 60))


@pytest.mark.parametrize(
    ("start", "seconds"),
    [
        ({"RadiopharmaceuticalStartDateTime": "20240305083500"}, HOUR),
        (
            {"RadiopharmaceuticalStartDateTime": "20240305080500.00", "RadiopharmaceuticalStartTime": "083500"},
            1.5 * HOUR,
        ),
        ({"RadiopharmaceuticalStartDateTime": "20240305", "RadiopharmaceuticalStartTime": "083500"}, HOUR),
        ({"RadiopharmaceuticalStartTime": "083500.5"}, HOUR - 0.5),
        ({"RadiopharmaceuticalStartTime": "08:35:00"}, HOUR),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR TM")  # the old spelling with colons
def test_injection_times_in_use(tmp_path, start, seconds):
    tags = {"RadiopharmaceuticalStartTime": None} | start
    found = suv(tmp_path, RadiopharmaceuticalInformationSequence=[tracer(**tags)])
    assert close(found, expected(seconds))


def test_an_injection_before_midnight(tmp_path):
    found = suv(
        tmp_path,
        RadiopharmaceuticalInformationSequence=[tracer(RadiopharmaceuticalStartTime="234500")],
        SeriesTime="004500",
        AcquisitionTime="004500",
    )
    assert close(found, expected(HOUR))


def test_a_time_zone_in_the_injection_time_is_minded(tmp_path):
    sequence = [tracer(RadiopharmaceuticalStartDateTime="20240305073500.00+0000")]
    found = suv(tmp_path, RadiopharmaceuticalInformationSequence=sequence, TimezoneOffsetFromUTC="+0100")
    assert close(found, expected(HOUR))


def test_already_suv(tmp_path):
    assert close(suv(tmp_path, Units="GML"), BQML)


def philips(folder, **scales) -> None:
    write_series(folder, ARRAY, "PET", **pet_tags(Units="CNTS"))
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, value in scales.items():
            block.add_new({"suv": 0x00, "activity": 0x09}[element], "DS", str(value))
        ds.save_as(path)


@pytest.mark.parametrize(
    ("scales", "wanted"),
    [
        ({"suv": 0.003, "activity": 2.0}, BQML * 0.003),
        ({"suv": 0, "activity": 2.0}, expected(HOUR) * 2.0),
        ({"activity": 2.0}, expected(HOUR) * 2.0),
    ],
)
def test_counts_of_philips(tmp_path, scales, wanted):
    philips(tmp_path, **scales)
    assert close(load_visits(scan_folder(tmp_path))[0].images["PET"].array, wanted)


def test_counts_without_a_scale_are_refused(tmp_path):
    with pytest.raises(TumorTwinError, match=r"\(7053,1000\) and \(7053,1009\)"):
        suv(tmp_path, Units="CNTS")


@pytest.mark.parametrize("tag", ["Units", "DecayCorrection", "CorrectedImage", "PatientWeight"])
def test_a_missing_tag_is_named(tmp_path, tag):
    with pytest.raises(TumorTwinError, match=rf"^Series \w+ \('PET WB', .*has no {tag}, which SUV needs"):
        suv(tmp_path, **{tag: None})


@pytest.mark.parametrize("tag", ["RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime"])
def test_a_missing_tag_of_the_tracer_is_named(tmp_path, tag):
    with pytest.raises(TumorTwinError, match=f"has no {tag}, which SUV needs"):
        suv(tmp_path, RadiopharmaceuticalInformationSequence=[tracer(**{tag: None})])


def test_a_missing_tracer_is_named(tmp_path):
    with pytest.raises(TumorTwinError, match="has no RadiopharmaceuticalInformationSequence"):
        suv(tmp_path, RadiopharmaceuticalInformationSequence=None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Units": "PROPCNTS"}, r"is in PROPCNTS \(tag Units\)"),
        ({"Units": "GML", "SUVType": "LBM"}, r"SUV of type LBM \(tag SUVType\)"),
        ({"PatientWeight": 0}, "has the PatientWeight 0"),
        ({"PatientWeight": 70000}, "has the PatientWeight 70000 kg"),
        ({"CorrectedImage": ["DECY"]}, "CorrectedImage lacks ATTN"),
        ({"CorrectedImage": ["ATTN"]}, "contradicts itself on decay"),
        ({"DecayCorrection": "MAYBE"}, "has the DecayCorrection MAYBE"),
        ({"RadiopharmaceuticalInformationSequence": [tracer(RadionuclideTotalDose=370)]}, "looks like MBq"),
        (
            {"RadiopharmaceuticalInformationSequence": [tracer(RadiopharmaceuticalStartDateTime="20240305103500")]},
            "was scanned -1 h after the injection",
        ),
        (
            {"RadiopharmaceuticalInformationSequence": [tracer(RadiopharmaceuticalStartDateTime="20240101083500")]},
            "after the injection",
        ),
    ],
)
def test_contradictions_are_refused(tmp_path, changes, sentence):
    with pytest.raises(TumorTwinError, match=sentence):
        suv(tmp_path, **changes)


def test_a_slow_tracer_may_be_scanned_days_later(tmp_path):
    """Zr-89, half-life 78.4 h, scanned four days after its injection."""
    sequence = [tracer(RadiopharmaceuticalStartDateTime="20240301093500", RadionuclideHalfLife=282240.0)]
    found = suv(tmp_path, RadiopharmaceuticalInformationSequence=sequence)
    assert close(found, BQML * WEIGHT_G / (DOSE_BQ * 0.5 ** (96 * HOUR / 282240.0)))
