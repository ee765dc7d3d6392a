"""RT Dose files: written by pydicom, read back into patient space."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.rtdose import read_rtdose

pydicom = pytest.importorskip("pydicom", reason="pydicom comes with Slicer and reads RT Dose")

SHAPE = (4, 3, 5)  # columns, rows, planes
SPACING = (2.0, 2.5, 3.0)
ORIGIN_LPS = np.array([-10.0, 20.0, -30.0])


def write(path, *, offsets=None, orientation=(1, 0, 0, 0, 1, 0), **changes):
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = pydicom.Dataset()
    data.file_meta = meta
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.Modality, data.DoseUnits, data.DoseType, data.DoseSummationType = "RTDOSE", "GY", "PHYSICAL", "PLAN"
    data.Columns, data.Rows, data.NumberOfFrames = SHAPE
    data.PixelSpacing = [SPACING[1], SPACING[0]]  # between rows, between columns
    data.ImagePositionPatient = ORIGIN_LPS.tolist()
    data.ImageOrientationPatient = list(orientation)
    data.GridFrameOffsetVector = list(np.arange(SHAPE[2]) * SPACING[2]) if offsets is None else offsets
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 32, 32, 31
    data.DoseGridScaling = "0.0001"
    data.PixelData = np.ascontiguousarray(stored().transpose(2, 1, 0)).tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def stored() -> np.ndarray:
    """(columns, rows, planes): every voxel its own number."""
    return np.arange(np.prod(SHAPE), dtype="<u4").reshape(SHAPE) * 1000


def test_dose_and_place(tmp_path):
    dose = read_rtdose(write(tmp_path / "dose.dcm"))
    np.testing.assert_allclose(dose.array, stored() * 1e-4)
    assert dose.unit == "Gy"
    np.testing.assert_allclose(dose.grid.spacing_mm, SPACING)
    index = np.array([3, 1, 4])
    lps = ORIGIN_LPS + index * SPACING
    np.testing.assert_allclose(dose.grid.ras_mm(index), lps * [-1, -1, 1])


def test_planes_may_be_given_as_coordinates(tmp_path):
    offsets = list(ORIGIN_LPS[2] + np.arange(SHAPE[2]) * SPACING[2])
    coordinates, distances = (
        read_rtdose(write(tmp_path / f"{n}.dcm", offsets=o)) for n, o in enumerate((offsets, None))
    )
    assert coordinates.grid.same_as(distances.grid)


def test_a_prone_patient(tmp_path):
    """Rows run to the patient's right and up from the couch: the planes still go along z."""
    dose = read_rtdose(write(tmp_path / "dose.dcm", orientation=(-1, 0, 0, 0, -1, 0)))
    index = np.array([1, 2, 3])
    lps = ORIGIN_LPS + index * np.array(SPACING) * [-1, -1, 1]
    np.testing.assert_allclose(dose.grid.ras_mm(index), lps * [-1, -1, 1])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"DoseUnits": "RELATIVE"}, "has a dose in RELATIVE: export it in Gy"),
        ({"DoseSummationType": "BEAM"}, "is the dose of one beam: export the summed dose"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.5"}, "is no RT Dose"),
        ({"offsets": [0.0, 3.0, 6.0, 9.0, 13.0]}, "planes at uneven distances"),
        ({"DoseGridScaling": None}, "lacks its dose grid or its position"),
        ({"ImagePositionPatient": None}, "lacks its dose grid or its position"),
    ],
)
def test_unusable_files_are_one_sentence(tmp_path, changes, sentence):
    path = write(tmp_path / "dose.dcm", **changes)
    with pytest.raises(TumorTwinError, match=sentence) as refused:
        read_rtdose(path)
    assert str(path) in str(refused.value)


def test_a_text_file_is_no_dicom(tmp_path):
    path = tmp_path / "dose.dcm"
    path.write_text("60 Gy")
    for file in (path, tmp_path / "absent.dcm"):
        with pytest.raises(TumorTwinError, match="cannot be read as DICOM"):
            read_rtdose(file)
