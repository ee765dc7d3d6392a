"""DICOM series of every kind become volumes where the scanner saw them, or one sentence says why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from Testing.imaging.dicom_phantom import AXIAL, header, item, ramp, save, write_enhanced, write_series
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.load_visits import load_visits
from TumorTwinLib.imaging.scan_folder import scan_folder

ARRAY = ramp((12, 14, 9))
T2 = {"EchoTime": 90.0, "RepetitionTime": 4000.0}


def only_image(folder: Path, modality: str = "T2"):
    index = scan_folder(folder)
    (visit,) = load_visits(index.confirm({index.series[0].key: modality}))
    return visit.images[modality]


def problem_of(folder: Path) -> str:
    (series,) = scan_folder(folder).series
    return series.problem


@pytest.mark.parametrize(
    "orientation",
    [AXIAL, (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (0.8, 0.6, 0, -0.48, 0.64, 0.6)],
    ids=["axial", "sagittal", "coronal", "oblique"],
)
def test_a_series_lies_where_itk_puts_it(tmp_path, orientation):
    write_series(tmp_path, ARRAY, "T2", orientation=orientation, **T2)
    image = only_image(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    reference = reader.Execute()
    assert np.array_equal(image.array, sitk.GetArrayFromImage(reference).T)
    for corner in [(0, 0, 0), (11, 0, 0), (0, 13, 0), (0, 0, 8), (11, 13, 8)]:
        lps = reference.TransformIndexToPhysicalPoint(corner)
        assert image.grid.ras_mm(np.array(corner)) == pytest.approx((-lps[0], -lps[1], lps[2]), abs=1e-3)


def test_slices_against_the_normal_are_put_in_order(tmp_path):
    write_series(tmp_path, ARRAY, "T2", step_mm=(0, 0, -3.0), origin_mm=(-10, -20, 29), **T2)
    image = only_image(tmp_path)
    assert np.array_equal(image.array, ARRAY[:, :, ::-1])
    assert image.grid.ijk_to_ras[:3, 3] == pytest.approx((10, 20, 5))


def test_enhanced_multi_frame_is_one_volume(tmp_path):
    write_enhanced(tmp_path / "e.dcm", [ARRAY], "T2")
    (series,) = scan_folder(tmp_path).series
    assert (series.modality, series.recognized.confidence) == ("T2", "high")
    assert "TE 90 ms, TR 4000 ms" in series.recognized.evidence
    image = only_image(tmp_path)
    assert np.array_equal(image.array, ARRAY * 2 - 5)
    assert image.grid.spacing_mm == pytest.approx((1.0, 1.5, 3.0))
    assert image.grid.ijk_to_ras[:3, 3] == pytest.approx((10, 20, 5))


def test_enhanced_diffusion_is_split_by_b_value(tmp_path):
    def frame_tags(volume: int, _k: int) -> dict:
        return {"MRDiffusionSequence": [item(DiffusionBValue=float(1000 * volume))]}

    write_enhanced(tmp_path / "e.dcm", [ARRAY, ARRAY + 7], "ep2d_diff", frame_tags)
    index = scan_folder(tmp_path)
    by_label = {series.description.split(", ")[1]: series for series in index.series}
    assert set(by_label) == {"b=0", "b=1000"}
    assert {series.recognized.modality for series in index.series} == {"DWI"}
    assert not index.visits()  # known, and left out
    (visit,) = load_visits(index.confirm({by_label["b=1000"].key: "T2"}))
    assert np.array_equal(visit.images["T2"].array, (ARRAY + 7) * 2 - 5)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("DiffusionBValue", lambda volume: 800.0 * volume),
        ("EchoTime", lambda volume: 20.0 + 60 * volume),
        ("InversionTime", lambda volume: 700.0 + 60 * volume),
        ("ImageType", lambda volume: ["ORIGINAL", "PRIMARY", "MP"[volume], "ND"]),
    ],
)
def test_contrasts_in_one_series_are_told_apart(tmp_path, tag, value):
    for volume in (0, 1):
        tags = {**T2, tag: value(volume)}
        write_series(tmp_path, ARRAY + volume, "mixed", series="1.2.3.4.5.77", start=9 * volume, **tags)
    index = scan_folder(tmp_path)
    assert len(index.series) == 2
    assert len({series.key for series in index.series}) == 2
    (visit,) = load_visits(index.confirm({index.series[0].key: "T1", index.series[1].key: "T2"}))
    found = {int(image.array[0, 0, 0] - ARRAY[0, 0, 0]) for image in visit.images.values()}
    assert found == {0, 1}


@pytest.mark.parametrize(
    "private", [(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "{}"), (0x0043, "GEMS_PARM_01", 0x39, "IS", "10000{:05d}")]
)
def test_b_values_of_the_vendors_are_read(tmp_path, private):
    group, creator, element, vr, text = private
    for volume in (0, 1):
        for path in write_series(tmp_path, ARRAY, "diff", series="1.2.3.4.5.77", start=9 * volume):
            ds = pydicom.dcmread(path)
            ds.private_block(group, creator, create=True).add_new(element, vr, text.format(volume * 1000))
            ds.save_as(path)
    assert {series.description for series in scan_folder(tmp_path).series} == {"diff, b=0", "diff, b=1000"}


@pytest.mark.parametrize("tag", ["TemporalPositionIdentifier", "AcquisitionNumber", None])
def test_dynamic_series_are_loaded_in_order_of_time(tmp_path, tag):
    for volume in (2, 0, 1):
        tags = {tag: volume + 1} if tag else {}
        write_series(
            tmp_path, ARRAY + volume, "t1_vibe_dyn", series="1.2.3.4.5.77", start=9 * volume, EchoTime=2.0,
            RepetitionTime=5.0, AcquisitionTime=f"09{30 + volume}00", **tags,
        )  # fmt: skip
    index = scan_folder(tmp_path)
    (series,) = index.series
    assert (series.modality, series.recognized.modality) == ("DCE", "DCE")
    (visit,) = load_visits(index)
    dynamic = visit.dynamic["DCE"]
    assert dynamic.seconds == (0.0, 60.0, 120.0)
    assert [int((image.array - ARRAY).max()) for image in dynamic.images] == [0, 1, 2]
    with pytest.raises(TumorTwinError, match=r"holds 3 time points and cannot be T1"):
        load_visits(index.confirm({series.key: "T1"}))


def test_times_that_change_from_slice_to_slice_do_not_split_a_volume(tmp_path):
    write_series(tmp_path, ARRAY, "T2", per_slice=lambda k: {"TriggerTime": 100.0 * k, "AcquisitionNumber": k}, **T2)
    assert np.array_equal(only_image(tmp_path).array, ARRAY)


def test_orientations_of_one_series_are_told_apart(tmp_path):
    for number, orientation in enumerate([AXIAL, (0, 1, 0, 0, 0, -1)]):
        write_series(tmp_path, ARRAY, "T2", series="1.2.3.4.5.77", orientation=orientation, start=9 * number, **T2)
    index = scan_folder(tmp_path)
    assert {series.description for series in index.series} == {"T2, orientation 1", "T2, orientation 2"}
    assert {series.problem for series in index.series} == {""}


def test_series_mixed_in_one_folder_come_apart(tmp_path):
    write_series(tmp_path, ARRAY, "AX T1", EchoTime=9.0, RepetitionTime=500.0)
    write_series(tmp_path, ARRAY + 1, "AX T2", start=20, **T2)
    (visit,) = load_visits(scan_folder(tmp_path))
    assert np.array_equal(visit.images["T1"].array, ARRAY)
    assert np.array_equal(visit.images["T2"].array, ARRAY + 1)


def test_copies_are_read_once_and_told(tmp_path):
    for path in write_series(tmp_path / "a", ARRAY, "T2", **T2)[:4]:
        (tmp_path / "b").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "b")
    index = scan_folder(tmp_path)
    assert index.notices == ("4 DICOM images are copies of others in the folder and were read once.",)
    assert np.array_equal(load_visits(index)[0].images["T2"].array, ARRAY)


@pytest.mark.parametrize(
    ("skip", "problem"),
    [
        ((4,), "is incomplete: 1 slice is missing, the first gap lies after slice 4 of 8"),
        ((1, 3, 5), "is incomplete: 3 slices are missing, the first gap lies after slice 1 of 6"),
        ((2, 3), "is incomplete: 2 slices are missing, the first gap lies after slice 2 of 7"),
    ],
)
def test_missing_slices_are_counted(tmp_path, skip, problem):
    write_series(tmp_path, ARRAY, "T2", skip=skip, **T2)
    assert problem_of(tmp_path) == problem
    with pytest.raises(TumorTwinError, match=r"^Series \w{6} \('T2', 2024-03-05T0930\) is incomplete: .* choose"):
        load_visits(scan_folder(tmp_path))


def test_uneven_slices_are_refused(tmp_path):
    heights = np.cumsum([0, 3, 3, 3.6, 3, 3, 2.2, 3, 3])
    write_series(
        tmp_path, ARRAY, "T2", per_slice=lambda k: {"ImagePositionPatient": [0.0, 0.0, float(heights[k])]}, **T2
    )
    assert problem_of(tmp_path) == "has slices 2.2 to 3.6 mm apart"


def test_slices_off_the_line_are_refused(tmp_path):
    write_series(
        tmp_path, ARRAY, "T2", per_slice=lambda k: {"ImagePositionPatient": [0.0, float(k % 2), 3.0 * k]}, **T2
    )
    assert "mm off the line" in problem_of(tmp_path)


def test_rounded_positions_are_no_fault(tmp_path):
    write_series(
        tmp_path, ARRAY, "T2", per_slice=lambda k: {"ImagePositionPatient": [0.0, 0.0, round(k * 3.3333, 2)]}, **T2
    )
    assert problem_of(tmp_path) == ""


def test_repeats_that_no_tag_explains_are_refused(tmp_path):
    write_series(tmp_path, ARRAY, "T2", series="1.2.3.4.5.77", **T2)
    write_series(tmp_path, ARRAY, "T2", series="1.2.3.4.5.77", skip=(0, 1, 2), start=20, **T2)
    assert problem_of(tmp_path).startswith("holds up to 2 images at one place and 1 at others")


def test_a_single_slice_is_no_volume(tmp_path):
    write_series(tmp_path, ARRAY[:, :, :1], "T2", **T2)
    assert problem_of(tmp_path) == "holds a single slice"


def test_a_tilted_gantry_is_straightened(tmp_path):
    tilt = np.radians(20)
    plane = (1, 0, 0, 0, np.cos(tilt), np.sin(tilt))  # the table moves along z, the planes lean
    field = np.array([0.5, -1.0, 2.0])  # a linear field of space, so that interpolation is exact
    spacing, step, origin = (1.0, 1.5, 3.0), np.array([0, 0, 3.0]), np.array([-10.0, -20.0, 5.0])
    i, j, k = np.indices((12, 14, 9))
    lps = origin + i[..., None] * np.array(plane[:3]) + 1.5 * j[..., None] * np.array(plane[3:]) + k[..., None] * step
    values = np.round((lps @ field + 300) * 16).astype(np.int16)
    write_series(
        tmp_path, values, "CT", modality="CT", orientation=plane, step_mm=step, origin_mm=origin, spacing_mm=spacing,
        RescaleSlope=1 / 16, RescaleIntercept=0,
    )  # fmt: skip
    index = scan_folder(tmp_path)
    (visit,) = load_visits(index)
    image = visit.images["CT"]
    axes = image.grid.ijk_to_ras[:3, :3] / image.grid.spacing_mm
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    ras = image.grid.ras_mm(np.stack(np.indices(image.grid.shape), axis=-1))
    expected = (ras * (-1, -1, 1)) @ field + 300
    inside = image.array > values.min() / 16 + 30  # away from the fill around the leaning stack
    assert inside.sum() > 500
    assert np.abs(image.array - expected)[inside].max() < 0.1
    assert "gantry tilted by 20.0 degrees" in visit.notices[0]


def compress(paths: list[Path], folder: Path, compressor: str) -> list[Path]:
    """Copies of the files with compressed pixels, which GDCM writes."""
    packed_paths = []
    for path in paths:
        plain = pydicom.dcmread(path)
        writer = sitk.ImageFileWriter()
        writer.SetFileName(str(folder.parent / "pixels.dcm"))
        writer.SetUseCompression(True)
        writer.SetCompressor(compressor)
        writer.Execute(sitk.GetImageFromArray(plain.pixel_array[None]))
        packed = pydicom.dcmread(folder.parent / "pixels.dcm")
        assert packed.file_meta.TransferSyntaxUID.is_compressed
        plain.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
        plain["PixelData"] = packed["PixelData"]
        packed_paths.append(save(plain, folder / path.name))
    return packed_paths


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_compressed_pixels_are_read_with_one_rescaling(tmp_path, compressor):
    paths = write_series(tmp_path / "plain", ARRAY, "CT", modality="CT", RescaleSlope=2, RescaleIntercept=-1000)
    compress(paths, tmp_path / "packed", compressor)
    assert np.array_equal(only_image(tmp_path / "packed", "CT").array, np.maximum(ARRAY * 2 - 1000, -1024))


def test_run_length_encoded_pixels_are_read(tmp_path):
    for path in write_series(tmp_path, ARRAY, "T2", **T2):
        ds = pydicom.dcmread(path)
        ds.compress(pydicom.uid.RLELossless)
        ds.save_as(path)
    assert np.array_equal(only_image(tmp_path).array, ARRAY)


def test_damaged_pixels_are_named_by_their_slice(tmp_path, recwarn):
    paths = write_series(tmp_path / "plain", ARRAY, "T2", **T2)
    third = compress(paths, tmp_path / "packed", "JPEG")[2]
    third.write_bytes(third.read_bytes()[:-60])
    with pytest.raises(TumorTwinError, match=r"2024-03-05T0930 T2 cannot be read: the pixels of slice 3 of 9"):
        only_image(tmp_path / "packed")
    assert len(recwarn) == 0  # a warning would tell the path, which may name the patient


def test_ct_is_in_hounsfield_units(tmp_path):
    write_series(tmp_path, ARRAY - 1000, "CT", modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    image = only_image(tmp_path, "CT")
    assert image.unit == "HU"
    assert np.array_equal(image.array, np.maximum(ARRAY - 2024, -1024))  # below air is padding


def test_ct_without_rescaling_is_refused(tmp_path):
    write_series(tmp_path, ARRAY, "CT", modality="CT")
    with pytest.raises(TumorTwinError, match="no RescaleSlope or RescaleIntercept"):
        only_image(tmp_path, "CT")


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_adc_comes_in_one_unit(tmp_path, scale):
    write_series(
        tmp_path,
        ARRAY,
        "ADC",
        ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"],
        RescaleSlope=scale,
        RescaleIntercept=0,
    )
    index = scan_folder(tmp_path)
    assert index.series[0].modality == "ADC"
    image = load_visits(index)[0].images["ADC"]
    assert image.unit == "1e-6 mm2/s"
    assert np.allclose(image.array, ARRAY, rtol=1e-5)


def test_damaged_files_are_named_and_the_rest_is_read(tmp_path):
    good = write_series(tmp_path / "good", ARRAY, "T2", **T2)
    cut = write_series(tmp_path / "cut", ARRAY, "T1", EchoTime=9.0, RepetitionTime=500.0)[3]
    cut.write_bytes(cut.read_bytes()[:-20])
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x08\x00garbage")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no scan")
    index = scan_folder(tmp_path)
    assert len(index.notices) == 3
    assert index.notices[0].startswith("broken.dcm cannot be read as DICOM")
    assert index.notices[1].startswith(f"cut/{cut.name} breaks off before its last pixel")
    assert index.notices[2].startswith("empty.dcm cannot be read as DICOM")
    assert {series.modality: bool(series.problem) for series in index.series} == {"T2": False, "T1": True}
    (visit,) = load_visits(index, ["T2"])
    assert np.array_equal(visit.images["T2"].array, ARRAY)
    assert len(good) == 9


def test_objects_without_images_are_counted(tmp_path):
    write_series(tmp_path, ARRAY, "T2", **T2)
    report = header("SR")
    report.SeriesInstanceUID = "1.2.3.4.5.88"
    save(report, tmp_path / "report.dcm")
    index = scan_folder(tmp_path)
    assert index.notices == ("Left out, since they are no images in space: 1 SR.",)
    assert len(index.series) == 1


def test_a_mosaic_is_refused(tmp_path):
    write_series(tmp_path, ARRAY, "ep2d", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    assert problem_of(tmp_path) == "is stored as a Siemens mosaic of all slices in one image"


def test_a_list_of_files_serves_as_well_as_a_folder(tmp_path):
    paths = write_series(tmp_path, ARRAY, "T2", **T2)
    write_series(tmp_path / "other", ARRAY, "T1")
    assert len(scan_folder(paths).series) == 1


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(TumorTwinError, match="holds no DICOM images"):
        scan_folder(tmp_path)
    with pytest.raises(TumorTwinError, match="does not exist"):
        scan_folder(tmp_path / "absent")
