"""Pixels of a stack of DICOM planes as one array in physical values.

pydicom reads what is stored plain or run-length encoded. JPEG, JPEG-LS and JPEG 2000 are left to GDCM inside SimpleITK,
which every Slicer has; it is given a copy without rescaling, so that one rule here turns stored into physical values.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.dicom_headers import Plane, quiet_pydicom
from TumorTwinLib.imaging.dicom_stacks import Stack

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_PIXEL_MODULE = (
    *("SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
)


def read_stack(stack: Stack, name: str, unit: str = "", factors: np.ndarray | None = None) -> Image:
    """The volume of a stack, in its stored values times slope plus intercept.

    A tilted gantry's slices are shifted in their planes (linear interpolation) onto a rectangular grid.

    Args:
        stack: without a problem.
        name, unit: of the image.
        factors: (nk,) what each slice is multiplied with, e.g. from activity to SUV.

    Returns:
        Image with an (ni, nj, nk) array of int16 where that holds every value, else float32.

    Raises:
        TumorTwinError: a file is damaged or compressed in a way that cannot be read here; ``name`` and its place in the
            stack are named.
    """
    assert stack.grid is not None
    slices = np.empty(stack.grid.shape[::-1], dtype=np.float32)  # [k, j, i], as the files hold them
    by_file: dict[Path, list[tuple[int, Plane]]] = {}
    for k, plane in enumerate(stack.planes):
        by_file.setdefault(plane.file, []).append((k, plane))
    for file, members in by_file.items():
        try:
            for (k, plane), pixels in zip(members, _pixels(file, [plane.frame for _, plane in members]), strict=True):
                slope = 1.0 if plane.slope is None else plane.slope
                factor = 1.0 if factors is None else float(factors[k])
                np.multiply(pixels, slope * factor, out=slices[k], casting="unsafe")
                slices[k] += (plane.intercept or 0.0) * factor
        except Exception as error:  # decoders raise whatever the damage makes them trip over
            raise TumorTwinError(
                f"{name} cannot be read: the pixels of slice {members[0][0] + 1} of {len(stack.planes)} are damaged "
                "or compressed in a way unknown here, so export the series again without compression."
            ) from error
    array = slices.T
    if stack.tilt_deg:
        return _untilted(array, stack.grid, name, unit)
    integers = factors is None and all(
        float(value).is_integer() for plane in stack.planes for value in (plane.slope or 1.0, plane.intercept or 0.0)
    )
    if integers and np.abs(array).max() < 2**15:
        array = array.astype(np.int16)
    return Image(np.ascontiguousarray(array), stack.grid, name, unit)


def _pixels(file: Path, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """(rows, columns) stored values of some frames of one file."""
    import pydicom
    from pydicom.pixels import iter_pixels

    meta = pydicom.filereader.read_file_meta_info(file)
    syntax = pydicom.uid.UID(meta.TransferSyntaxUID)
    if not syntax.is_compressed or syntax == pydicom.uid.RLELossless or syntax.is_deflated:
        yield from iter_pixels(file, indices=frames)
        return
    with quiet_pydicom():
        stored = _decoded_by_gdcm(pydicom.dcmread(file))
    yield from (stored[frame] for frame in frames)


def _decoded_by_gdcm(source: Any) -> np.ndarray:
    """(frames, rows, columns) stored values of a compressed file."""
    import pydicom
    import SimpleITK as sitk

    bare = pydicom.Dataset()
    bare.SOPClassUID, bare.SOPInstanceUID = _SECONDARY_CAPTURE, pydicom.uid.generate_uid()
    for keyword in _PIXEL_MODULE:
        if keyword in source:
            bare[keyword] = source[keyword]
    bare.file_meta = pydicom.dataset.FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.dcm"
        pydicom.dcmwrite(path, bare, enforce_file_format=True)
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    return pixels.reshape(-1, *pixels.shape[-2:])


def _untilted(array: np.ndarray, grid: Grid, name: str, unit: str) -> Image:
    """``array`` of a sheared grid on the rectangular one around it."""
    from scipy import ndimage

    affine = grid.ijk_to_ras
    in_plane = affine[:3, :2]
    # how far each slice lies from straight above the one before, in pixels along i and j
    shift = np.linalg.lstsq(in_plane, affine[:3, 2], rcond=None)[0]
    straight = affine.copy()
    straight[:3, 2] = affine[:3, 2] - in_plane @ shift
    ends = np.outer([0, grid.shape[2] - 1], shift)
    lower, upper = np.floor(ends.min(axis=0)).astype(int), np.ceil(ends.max(axis=0)).astype(int)
    box = Grid(grid.shape, straight).crop((*lower, 0), (*(np.array(grid.shape[:2]) + upper), grid.shape[2]))
    out = np.empty(box.shape, dtype=np.float32)
    for k in range(grid.shape[2]):
        out[:, :, k] = ndimage.affine_transform(
            array[:, :, k], np.eye(2), lower - shift * k, output_shape=box.shape[:2], order=1, cval=float(array.min())
        )
    return Image(out, box, name, unit)
