"""The mapping from series to modalities: proposed, shown, confirmed, written, read back; visits by date."""

from __future__ import annotations

import csv
import json
from datetime import datetime

import numpy as np
import pytest

from Testing.imaging.dicom_phantom import ramp, write_series
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.load_visits import load_visits
from TumorTwinLib.imaging.scan_folder import scan_folder
from TumorTwinLib.volume_files import write_volume

ARRAY = ramp((8, 9, 5))
GRID = Grid.from_spacing((8, 9, 5), (1.0, 2.0, 3.0), (-4.0, -8.0, 6.0))
T1 = {"EchoTime": 9.0, "RepetitionTime": 550.0}
T2 = {"EchoTime": 95.0, "RepetitionTime": 4500.0}


@pytest.fixture
def export(tmp_path):
    """Two studies of one patient: T1 and T2, three months apart."""
    folder = tmp_path / "export"
    for date in ("20240305", "20240611"):
        write_series(folder / date / "a", ARRAY, "AX T1", study_date=date, **T1)
        write_series(folder / date / "b", ARRAY + 1, "AX T2", study_date=date, **T2)
    return folder


def keys(index, modality: str) -> list[str]:
    return [series.key for series in index.series if series.modality == modality]


def test_visits_are_grouped_by_study_date(export):
    visits = load_visits(scan_folder(export), ["T1", "T2"])
    assert [visit.time for visit in visits] == [datetime(2024, 3, 5, 9, 30), datetime(2024, 6, 11, 9, 30)]
    for visit in visits:
        assert set(visit.images) == {"T1", "T2"}
        assert np.array_equal(visit.images["T2"].array, ARRAY + 1)
        assert visit.notices == ()


def test_studies_of_one_day_are_one_visit_at_the_time_of_the_first(tmp_path):
    write_series(tmp_path / "a", ARRAY, "AX T1", study="1.2.3.4.5.1", StudyTime="140000", **T1)
    write_series(tmp_path / "b", ARRAY, "CT", modality="CT", study="1.2.3.4.5.2", StudyTime="081500",
                 RescaleSlope=1, RescaleIntercept=0)  # fmt: skip
    (visit,) = load_visits(scan_folder(tmp_path))
    assert visit.time == datetime(2024, 3, 5, 8, 15)
    assert set(visit.images) == {"T1", "CT"}


def test_a_missing_modality_is_named(export):
    index = scan_folder(export)
    (first, _) = keys(index, "T2")
    index = index.confirm({first: None})
    sentence = "The visit of 2024-03-05T0930 has no T2: say in the mapping which series it is, or leave T2 out."
    assert index.faults(["T1", "T2"]) == (sentence,)
    with pytest.raises(TumorTwinError) as raised:
        load_visits(index, ["T1", "T2"])
    assert str(raised.value) == sentence
    visits = load_visits(index, ["T1", "T2"], allow_missing=True)
    assert [set(visit.images) for visit in visits] == [{"T1"}, {"T1", "T2"}]
    assert visits[0].notices == ("The visit of 2024-03-05T0930 has no T2.",)


def test_a_duplicate_modality_is_named(export):
    write_series(export / "again", ARRAY, "AX T1 repeat", study_date="20240305", **T1)
    index = scan_folder(export)
    assert len(keys(index, "T1")) == 3
    (sentence,) = index.faults(["T1"])
    assert sentence.startswith("The visit of 2024-03-05T0930 has 2 T1 (")
    assert "'AX T1'" in sentence
    assert "'AX T1 repeat'" in sentence
    repeat = next(series.key for series in index.series if series.description == "AX T1 repeat")
    settled = index.confirm({repeat: "T1"})
    assert settled.faults(["T1"]) == ()
    assert load_visits(settled, ["T1"])[0].series == {"T1": repeat}
    other = next(key for key in keys(index, "T1") if key != repeat)
    assert "2 T1" in settled.confirm({other: "T1"}).faults(["T1"])[0]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"spacing_mm": (1, 1, 1)}, {}),
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}),
        ({}, {"skip": (2,)}),
        ({}, T2),  # called T1 but weighted otherwise
    ],
    ids=["finer", "original", "complete", "consistent"],
)
def test_the_better_of_two_is_proposed(tmp_path, better, worse):
    write_series(tmp_path / "b", ARRAY, "T1 better", **{**T1, **better})
    write_series(tmp_path / "a", ARRAY, "T1 worse", **{**T1, **worse})
    index = scan_folder(tmp_path)
    assert [series.description for series in index.series if series.modality] == ["T1 better"]
    assert index.faults(["T1"]) == ()


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_the_mapping_goes_to_a_file_and_back(export, tmp_path, suffix):
    index = scan_folder(export)
    path = tmp_path / f"mapping{suffix}"
    index.write_mapping(path)
    text = path.read_text()
    for word in ("T1", "2024-03-05T09:30", "AX T1", "high", "TE 9 ms", "1 x 1.5 x 3"):
        assert word in text
    key = keys(index, "T2")[0]
    if suffix == ".csv":
        rows = list(csv.DictReader(path.open()))
        for row in rows:
            row["modality"] = "FLAIR" if row["series"] == key else row["modality"]
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
    else:
        data = json.loads(text)
        for row in data["series"]:
            row["modality"] = "FLAIR" if row["series"] == key else row["modality"]
        path.write_text(json.dumps(data))
    again = scan_folder(export).confirm_file(path)  # a new scan knows the same keys
    assert keys(again, "FLAIR") == [key]
    assert len(keys(again, "T1")) == 2
    assert all(series.confirmed for series in again.series)
    assert [series.time for series in again.series] == [series.time for series in index.series]


def test_what_cannot_be_a_mapping_is_refused(export, tmp_path):
    index = scan_folder(export)
    key = index.series[0].key
    with pytest.raises(TumorTwinError, match="no series zzz"):
        index.confirm({"zzz": "T1"})
    with pytest.raises(TumorTwinError, match=f"Series {key} is mapped to 'T9': use one of T1, T1CE"):
        index.confirm({key: "T9"})
    with pytest.raises(TumorTwinError, match="has the date 'soon'"):
        index.confirm(dates={key: "soon"})
    with pytest.raises(TumorTwinError, match=r"name the mapping \.csv or \.json"):
        index.write_mapping(tmp_path / "mapping.txt")
    with pytest.raises(TumorTwinError, match="cannot be written"):
        index.write_mapping(tmp_path / "absent" / "mapping.csv")
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(TumorTwinError, match="no mapping of series"):
        index.confirm_file(tmp_path / "m.json")
    (tmp_path / "m.csv").write_text("series,colour\n")
    with pytest.raises(TumorTwinError, match="lacks the column modality"):
        index.confirm_file(tmp_path / "m.csv")


def test_a_single_slice_is_never_proposed(tmp_path):
    write_series(tmp_path, ARRAY[:, :, :1], "AX T1", **T1)
    (series,) = scan_folder(tmp_path).series
    assert (series.modality, series.recognized.modality) == ("", "single slice")


def test_two_patients_are_not_mixed(export):
    write_series(export / "other", ARRAY, "AX T1", study_date="20240801", PatientID="OTHER-1", **T1)
    index = scan_folder(export)
    with pytest.raises(TumorTwinError, match=r"scans of 2 patients \(P-\w{8}, P-\w{8}\)"):
        load_visits(index)
    other = next(series for series in index.series if series.time == datetime(2024, 8, 1, 9, 30))
    assert len(load_visits(index.confirm({other.key: None}))) == 2
    assert len(load_visits(scan_folder(export, patient_id="GBM_001"))) == 3


def test_a_series_without_a_date_asks_for_one(tmp_path):
    empty = {"StudyDate": "", "SeriesDate": "", "AcquisitionDate": ""}
    write_series(tmp_path, ARRAY, "AX T1", **T1, **empty)
    index = scan_folder(tmp_path)
    with pytest.raises(TumorTwinError, match=r"\('AX T1', no date\) has no date"):
        load_visits(index)
    (visit,) = load_visits(index.confirm(dates={index.series[0].key: "2024-03-05"}))
    assert visit.time == datetime(2024, 3, 5)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_volume_files_in_dated_folders(tmp_path, suffix):
    for number, folder in enumerate(("2024-03-05", "2024-03-05T1400_later", "2024-06-11/nested")):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("T1", "t1ce", "seg", "ADC"):
            write_volume(Image(ARRAY + number, GRID), tmp_path / folder / f"{name}{suffix}")
    write_volume(Image(ARRAY, GRID), tmp_path / f"brain_mask{suffix}")
    index = scan_folder(tmp_path, patient_id="GBM_001")
    visits = load_visits(index, ["T1", "T1CE", "ADC", "segmentation"])
    assert [visit.time for visit in visits] == [
        datetime(2024, 3, 5), datetime(2024, 3, 5, 14), datetime(2024, 6, 11)
    ]  # fmt: skip
    image = visits[1].images["T1CE"]
    assert np.array_equal(image.array, ARRAY + 1)
    assert image.grid.same_as(GRID)
    assert image.name == "GBM_001 2024-03-05T1400 T1CE"
    assert visits[0].images["ADC"].unit == "1e-6 mm2/s"


def test_visits_csv_names_the_visits(tmp_path):
    for folder in ("baseline", "week 12"):
        (tmp_path / folder).mkdir()
        write_volume(Image(ARRAY, GRID), tmp_path / folder / "FLAIR.nii.gz")
    (tmp_path / "visits.csv").write_text("date,folder\n2024-03-05T09:00,baseline\n2024-06-11,week 12\n")
    visits = load_visits(scan_folder(tmp_path), ["FLAIR"])
    assert [visit.time for visit in visits] == [datetime(2024, 3, 5, 9), datetime(2024, 6, 11)]


def test_volume_files_without_a_date_ask_for_one(tmp_path):
    write_volume(Image(ARRAY, GRID), tmp_path / "FLAIR.nii.gz")
    with pytest.raises(TumorTwinError, match=r"\('FLAIR\.nii\.gz', no date\) has no date"):
        load_visits(scan_folder(tmp_path))


def test_a_damaged_volume_is_named_when_it_is_read(tmp_path):
    (tmp_path / "2024-03-05").mkdir()
    (tmp_path / "2024-03-05" / "T1.nii.gz").write_bytes(b"nothing")
    with pytest.raises(TumorTwinError, match=r"^2024-03-05/T1\.nii\.gz is not a NIfTI file"):
        load_visits(scan_folder(tmp_path))


def test_progress_is_told_and_reading_can_be_stopped(export):
    seen = []
    index = scan_folder(export, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 20)
    assert seen[-1] == (20, 20)
    read = []
    load_visits(index, on_progress=lambda done, total: read.append((done, total)))
    assert read == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with pytest.raises(CancelledError):
        scan_folder(export, cancelled=lambda: True)
    with pytest.raises(CancelledError):
        load_visits(index, cancelled=lambda: True)


def test_a_scan_reads_no_pixels(export, monkeypatch):
    import pydicom

    read = pydicom.dcmread
    headers = []

    def only_headers(*args, **kwargs):
        assert kwargs["stop_before_pixels"]
        headers.append(read(*args, **kwargs))
        return headers[-1]

    monkeypatch.setattr(pydicom, "dcmread", only_headers)
    assert len(scan_folder(export).series) == 4
    assert len(headers) == 20
    assert not any("PixelData" in header for header in headers)


def test_real_cases_are_recognized_by_name_and_dated_by_the_user(data_dir):
    case = next(path for path in sorted((data_dir / "brats2021").iterdir()) if path.is_dir())
    index = scan_folder(case, patient_id="GBM_001")
    names = ["T1", "T1CE", "T2", "FLAIR", "segmentation"]
    assert sorted(series.modality for series in index.series) == sorted(names)
    (visit,) = load_visits(index.confirm(dates={series.key: "2021-03-05" for series in index.series}), names)
    assert {image.grid.shape for image in visit.images.values()} == {(240, 240, 155)}
    assert set(np.unique(visit.images["segmentation"].array)) <= {0, 1, 2, 4}
