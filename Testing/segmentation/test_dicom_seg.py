"""DICOM SEG objects read back voxel by voxel, on an oblique series given in any order."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.segmentation.dicom_seg import write_dicom_seg
from TumorTwinLib.segmentation.result import Segmentation

REGIONS = {1: "necrotic_core", 2: "edema", 4: "enhancing"}
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def oblique_grid() -> Grid:
    c, s = np.cos(0.3), np.sin(0.3)
    affine = np.array([[-c, -s, 0, 30], [s * 1.0, -c, 0, 40], [0, 0, 2.5, -20], [0, 0, 0, 1]])
    affine[:3, :2] *= 0.9
    return Grid((24, 20, 12), affine)


def series(folder, grid: Grid):
    """A phantom MR series of one file a slice, without the identity of anybody."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    lps = _LPS @ grid.ijk_to_ras
    spacing = grid.spacing_mm
    study, in_series, frame = generate_uid(), generate_uid(), generate_uid()
    files = []
    for k in range(grid.shape[2]):
        one = pydicom.Dataset()
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = MRImageStorage
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = study, in_series, frame
        one.PatientID, one.PatientName, one.PatientBirthDate, one.PatientSex = "PHANTOM", "Phantom^A", "", ""
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20240305", "120000", "1", ""
        one.ReferringPhysicianName, one.Manufacturer, one.Modality = "", "None", "MR"
        one.SeriesNumber, one.InstanceNumber, one.PositionReferenceIndicator = 1, k + 1, ""
        one.ImagePositionPatient = [float(x) for x in lps[:3, 3] + k * lps[:3, 2]]
        one.ImageOrientationPatient = [float(x) for a in (0, 1) for x in lps[:3, a] / spacing[a]]
        one.PixelSpacing, one.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        one.Columns, one.Rows = grid.shape[:2]
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.PixelData = np.zeros((grid.shape[1], grid.shape[0]), np.uint16).tobytes()
        files.append(folder / f"slice{k}.dcm")
        one.save_as(files[-1], enforce_file_format=True)
    return files


@pytest.fixture
def segmentation() -> Segmentation:
    grid = oblique_grid()
    labels = np.zeros(grid.shape, np.uint8)
    labels[4:14, 5:15, 3:9] = 2
    labels[7:11, 8:12, 5:7] = 4
    return Segmentation(Image(labels, grid, "ours"), REGIONS)


def test_labels_come_back_at_their_place(tmp_path, segmentation, rng):
    highdicom = pytest.importorskip("highdicom")
    grid = segmentation.labels.grid
    files = series(tmp_path, grid)
    path = tmp_path / "seg.dcm"
    write_dicom_seg(segmentation, list(rng.permutation(files)), path, algorithm="tumortwin_brain")
    seg = highdicom.seg.segread(path)
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["Edema", "Enhancing tumor"]
    kinds = [segment.SegmentedPropertyTypeCodeSequence[0] for segment in seg.SegmentSequence]
    assert [(kind.CodeValue, kind.CodingSchemeDesignator) for kind in kinds] == [
        ("79654002", "SCT"),
        ("86049000", "SCT"),
    ]
    assert seg.SegmentSequence[0].SegmentAlgorithmName == "tumortwin_brain"
    assert seg.PatientID == "PHANTOM"
    volume = seg.get_volume(combine_segments=True)
    to_grid = np.linalg.inv(grid.ijk_to_ras) @ _LPS @ volume.affine
    for number, label in ((1, 2), (2, 4)):
        found = np.argwhere(volume.array == number)
        ijk = np.rint(found @ to_grid[:3, :3].T + to_grid[:3, 3]).astype(int)
        back = np.zeros(grid.shape, bool)
        back[tuple(ijk.T)] = True
        np.testing.assert_array_equal(back, segmentation.labels.array == label)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_what_cannot_be_written_is_refused(tmp_path, segmentation):
    pytest.importorskip("highdicom")
    files = series(tmp_path, segmentation.labels.grid)
    with pytest.raises(TumorTwinError, match="evenly spaced"):
        write_dicom_seg(segmentation, [*files[:4], *files[6:]], tmp_path / "seg.dcm")
    text = tmp_path / "notes.txt"
    text.write_text("no DICOM")
    with pytest.raises(TumorTwinError, match=r"notes\.txt is no series"):
        write_dicom_seg(segmentation, [text], tmp_path / "seg.dcm")
    elsewhere = Grid(segmentation.labels.grid.shape, _LPS @ segmentation.labels.grid.ijk_to_ras)
    far = Segmentation(Image(segmentation.labels.array, elsewhere, "ours"), REGIONS)
    with pytest.raises(TumorTwinError, match="ours has nothing in"):
        write_dicom_seg(far, files, tmp_path / "seg.dcm")
    assert not (tmp_path / "seg.dcm").exists()


def test_without_highdicom_it_says_so(tmp_path, segmentation, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(TumorTwinError, match=r"seg\.dcm cannot be written, because the package highdicom"):
        write_dicom_seg(segmentation, [], tmp_path / "seg.dcm")
