"""Segmentations as DICOM SEG, on the frames of the series they were drawn on; needs the package highdicom."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid
from TumorTwinLib.segmentation.result import Segmentation
from TumorTwinLib.terminology import RegionTerm, term_for
from TumorTwinLib.version import VERSION

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SLICE_TOLERANCE_MM = 0.05


def write_dicom_seg(
    segmentation: Segmentation, source_files: Sequence[str | Path], path: str | Path, *, algorithm: str = ""
) -> None:
    """Write the labels as a DICOM SEG object that belongs to the patient and study of ``source_files``.

    The labels are resampled (nearest neighbor) onto the source's frames. The file carries the identity that the source
    carries, as DICOM asks for: it appears whole or not at all.

    Args:
        segmentation: its regions without voxels are left out.
        source_files: one single-frame DICOM file a slice, of one series, in any order.
        algorithm: the model's name where a model drew it; empty for an outline drawn by hand.

    Raises:
        TumorTwinError: highdicom is not installed, the source is no stack of slices, or nothing of the segmentation
            lies in it.
    """
    try:
        import highdicom
    except ImportError as error:
        raise TumorTwinError(
            f"{path} cannot be written, because the package highdicom is not installed: install it, or save NRRD."
        ) from error
    slices, grid = _stack(source_files)
    labels = segmentation.labels.resample(grid, order=0).array
    present = [(label, region) for label, region in segmentation.regions.items() if (labels == label).any()]
    if not present:
        raise TumorTwinError(
            f"{segmentation.labels.name} has nothing in {source_files[0]} and its series: choose the series it is of."
        )
    numbered = np.zeros(labels.shape, np.uint8)
    for number, (label, _) in enumerate(present, start=1):
        numbered[labels == label] = number
    seg = highdicom.seg.Segmentation(
        source_images=slices,
        pixel_array=np.ascontiguousarray(numbered.T),  # frames, rows, columns
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _described(highdicom, number, term_for(region), algorithm)
            for number, (_, region) in enumerate(present, start=1)
        ],
        series_instance_uid=highdicom.UID(),
        series_number=900,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="TumorTwin",
        manufacturer_model_name="SlicerTumorTwin",
        software_versions=VERSION,
        device_serial_number="0",
        series_description="Tumor segmentation",
        content_label="TUMOR",
    )
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        seg.save_as(unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        raise TumorTwinError(
            f"{path} cannot be written: check that its folder exists, is writable and not full."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _described(highdicom: Any, number: int, term: RegionTerm, algorithm: str) -> Any:
    def coded(code: tuple[str, str]) -> Any:
        return highdicom.sr.CodedConcept(value=code[0], meaning=code[1], scheme_designator="SCT")

    kinds, families = highdicom.seg.SegmentAlgorithmTypeValues, highdicom.sr.CodedConcept
    identification = highdicom.AlgorithmIdentificationSequence(
        name=algorithm,
        version=VERSION,
        family=families(value="123109", meaning="Artificial Intelligence", scheme_designator="DCM"),
    )
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=term.name,
        segmented_property_category=coded(term.category),
        segmented_property_type=coded(term.type),
        algorithm_type=kinds.AUTOMATIC if algorithm else kinds.MANUAL,
        algorithm_identification=identification if algorithm else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*term.color),
    )


def _stack(files: Sequence[str | Path]) -> tuple[list[Any], Grid]:
    """The source's slices from the first position on, and the grid they fill (RAS)."""
    import pydicom

    try:
        slices = [pydicom.dcmread(file) for file in files]
        orientation = np.array(slices[0].ImageOrientationPatient, float)
        along_row, along_column = orientation[:3], orientation[3:]
        normal = np.cross(along_row, along_column)
        places = [float(np.array(one.ImagePositionPatient, float) @ normal) for one in slices]
        row_step, column_step = (float(step) for step in slices[0].PixelSpacing)
    except (OSError, pydicom.errors.InvalidDicomError, AttributeError, IndexError) as error:
        first = files[0] if files else "The list of source files"
        raise TumorTwinError(
            f"{first} is no series of DICOM slices: give the files of the segmented series."
        ) from error
    order = np.argsort(places)
    slices = [slices[number] for number in order]
    steps = np.diff(np.sort(places))
    if len(slices) < 2 or np.ptp(steps) > _SLICE_TOLERANCE_MM or steps.min() < _SLICE_TOLERANCE_MM:
        raise TumorTwinError(
            f"{files[0]} and its series are not evenly spaced slices: give all files of one series, each once."
        )
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = along_row * column_step, along_column * row_step
    lps[:3, 2], lps[:3, 3] = normal * steps.mean(), np.array(slices[0].ImagePositionPatient, float)
    return slices, Grid((int(slices[0].Columns), int(slices[0].Rows), len(slices)), _LPS_TO_RAS @ lps)
