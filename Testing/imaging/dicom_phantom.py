"""Writes small DICOM series as scanners do: classic and enhanced MR, CT with a tilted gantry, PET with its tracer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SOP_CLASS = {
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
    "enhanced MR": "1.2.840.10008.5.1.4.1.1.4.1",
}
AXIAL = (1, 0, 0, 0, 1, 0)
PATIENT = {
    "PatientName": "Zebrowski^Wilhelmina^Q",
    "PatientID": "HOSP-4711-X",
    "PatientBirthDate": "19510203",
    "AccessionNumber": "ACC99887766",
    "OtherPatientIDs": "MRN-55512",
}
SECRETS = ("zebrowski", "wilhelmina", "hosp-4711-x", "19510203", "1951-02-03", "acc99887766", "mrn-55512")


def ramp(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """(ni, nj, nk) int16, every voxel different from its neighbours."""
    return np.random.default_rng(seed).integers(0, 2000, shape).astype(np.int16)


def header(modality: str = "MR", study_date: str = "20240305", study: str = "1.2.3.4.5.6", **tags: Any) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = SOP_CLASS[modality]
    ds.Modality = modality.rsplit(maxsplit=1)[-1]
    ds.StudyInstanceUID = f"{study}.{study_date}"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = study_date
    ds.StudyTime, ds.SeriesTime, ds.AcquisitionTime = "093000", "093500", "093500"
    for keyword, value in {**PATIENT, **tags}.items():
        setattr(ds, keyword, value)
    return ds


def set_pixels(ds: Dataset, pixels: np.ndarray) -> None:
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, int(pixels.dtype == np.int16)
    ds.PixelData = np.ascontiguousarray(pixels).tobytes()


def save(ds: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if "SOPInstanceUID" not in ds:
        ds.SOPInstanceUID = generate_uid()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


def write_series(
    folder: Path,
    array: np.ndarray,
    description: str,
    *,
    modality: str = "MR",
    spacing_mm: Sequence[float] = (1.0, 1.5, 3.0),
    origin_mm: Sequence[float] = (-10.0, -20.0, 5.0),
    orientation: Sequence[float] = AXIAL,
    step_mm: Sequence[float] | None = None,
    skip: Sequence[int] = (),
    series: str | None = None,
    per_slice: Any = None,
    start: int = 0,
    **tags: Any,
) -> list[Path]:
    """Classic single-frame files of an (ni, nj, nk) array at LPS ``origin_mm``, in shuffled file order.

    Args:
        step_mm: LPS vector from slice to slice, for a tilted gantry.
        skip: slices that are not written.
        per_slice: function of the slice's number that returns more tags.
        start: number of the first file.
    """
    series = series or generate_uid()
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    step = np.cross(row, column) * spacing_mm[2] if step_mm is None else np.array(step_mm)
    paths = []
    for k in range(array.shape[2]):
        if k in skip:
            continue
        ds = header(modality, **tags)
        ds.SeriesInstanceUID, ds.SeriesDescription = series, description
        ds.ImageOrientationPatient = list(map(float, orientation))
        ds.ImagePositionPatient = [round(float(x), 6) for x in np.array(origin_mm) + step * k]
        ds.PixelSpacing = [spacing_mm[1], spacing_mm[0]]  # between rows first
        ds.SliceThickness, ds.InstanceNumber = spacing_mm[2], start + k + 1
        for keyword, value in (per_slice(k) if per_slice else {}).items():
            setattr(ds, keyword, value)
        set_pixels(ds, array[:, :, k].T)
        paths.append(save(ds, folder / f"{(start + k) * 7 % 101:03d}_{start + k}"))
    return paths


def item(**tags: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def write_enhanced(
    path: Path,
    volumes: Sequence[np.ndarray],
    description: str,
    frame_tags: Any = lambda volume, k: {},
    echo_ms: float = 90.0,
) -> Path:
    """One enhanced multi-frame MR object, slices of all volumes interleaved."""
    ds = header("enhanced MR")
    ds.SeriesInstanceUID, ds.SeriesDescription = generate_uid(), description
    frames, groups = [], []
    for k in range(volumes[0].shape[2]):
        for number, volume in enumerate(volumes):
            frames.append(volume[:, :, k].T)
            groups.append(
                item(
                    PlanePositionSequence=[item(ImagePositionPatient=[-10.0, -20.0, 5.0 + 3.0 * k])],
                    FrameContentSequence=[item(TemporalPositionIndex=number + 1)],
                    PixelValueTransformationSequence=[item(RescaleSlope=2.0, RescaleIntercept=-5.0, RescaleType="US")],
                    **frame_tags(number, k),
                )
            )
    ds.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1.0, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[1.5, 1.0], SliceThickness=3.0)],
            MRImageFrameTypeSequence=[item(FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"])],
            MREchoSequence=[item(EffectiveEchoTime=echo_ms)],
            MRTimingAndRelatedParametersSequence=[item(RepetitionTime=4000.0)],
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = groups
    set_pixels(ds, np.stack(frames))
    ds.NumberOfFrames = len(frames)
    return save(ds, path)


def tracer(**changes: Any) -> Dataset:
    tags = {
        "Radiopharmaceutical": "Fluorodeoxyglucose",
        "RadiopharmaceuticalStartTime": "083500",
        "RadionuclideTotalDose": 3.7e8,
        "RadionuclideHalfLife": 6586.2,
    } | changes
    return item(**{keyword: value for keyword, value in tags.items() if value is not None})


def pet_tags(**changes: Any) -> dict[str, Any]:
    """Tags of a complete PET header; a change to None leaves one out."""
    tags = {
        "modality": "PT",
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "PatientWeight": 70.0,
        "FrameReferenceTime": 60000.0,
        "ActualFrameDuration": 120000,
        "RescaleSlope": 0.5,
        "RescaleIntercept": 0.0,
        "RadiopharmaceuticalInformationSequence": [tracer()],
    } | changes
    return {keyword: value for keyword, value in tags.items() if value is not None}
