"""Dose volumes of a treatment planning system: DICOM RT Dose files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image

_RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_EVEN_MM = 1e-2  # planes this close to even spacing are even: systems write offsets with two decimals


def read_rtdose(path: str | Path) -> Image:
    """The dose of an RT Dose file in Gy: the whole course, as the file says; see ``targets.per_fraction``.

    Args:
        path: of one file with all planes (DICOM PS3.3 C.8.8.3).

    Raises:
        TumorTwinError: no RT Dose, a dose relative to a prescription, uneven planes, or no pixels that can be read.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    try:
        data = dcmread(path)
    except (OSError, InvalidDicomError) as error:
        raise TumorTwinError(f"{path} cannot be read as DICOM: export the dose again.") from error
    if str(data.get("SOPClassUID", "")) != _RT_DOSE:
        raise TumorTwinError(f"{path} is no RT Dose: choose the file of the dose, not of the plan or the images.")
    if data.get("DoseUnits") != "GY":
        raise TumorTwinError(f"{path} has a dose in {data.get('DoseUnits')}: export it in Gy, not in percent.")
    if data.get("DoseSummationType", "PLAN") not in ("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW"):
        raise TumorTwinError(
            f"{path} is the dose of one {data.DoseSummationType.lower()}: export the summed dose of the plan."
        )
    try:
        stored = np.atleast_3d(data.pixel_array.T)  # pixel_array is (planes, rows, columns): now columns, rows, planes
        dose = stored.astype(np.float64) * float(data.DoseGridScaling)
        grid = Grid(dose.shape, _ijk_to_ras(data, dose.shape[2], path))
    except (AttributeError, KeyError, ValueError, RuntimeError, NotImplementedError) as error:
        raise TumorTwinError(f"{path} lacks its dose grid or its position: export the dose again.") from error
    return Image(dose.astype(np.float32), grid, str(path), "Gy")


def _ijk_to_ras(data, planes: int, path: Path) -> np.ndarray:
    """(4, 4): i along a row, j down the rows, k along the planes."""
    along_row, down_rows = np.array(data.ImageOrientationPatient, dtype=float).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in data.PixelSpacing)  # between rows, between columns
    offsets = np.array([float(z) for z in data.get("GridFrameOffsetVector") or [0.0]])
    steps = np.diff(offsets)
    if len(offsets) != planes or (len(steps) and np.abs(steps - steps.mean()).max() > _EVEN_MM):
        raise TumorTwinError(f"{path} has planes at uneven distances: export the dose on an even grid.")
    step_mm = float(steps.mean()) if len(steps) else float(data.get("SliceThickness") or 1.0)
    normal = np.cross(along_row, down_rows)
    if offsets[0] != 0:  # offsets are then coordinates along the patient's axis, not distances along the normal
        step_mm *= np.sign(normal[2])
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2] = along_row * column_mm, down_rows * row_mm, normal * step_mm
    lps[:3, 3] = np.array(data.ImagePositionPatient, dtype=float)
    return _LPS_TO_RAS @ lps
