"""Volumes on disk (NIfTI, NRRD, MHA) to images and back.

ITK reads and writes them, so a file lies where Slicer shows it. Two conventions are converted here and nowhere else:
ITK's left-posterior-superior millimetres to RAS, and SimpleITK's ``[k, j, i]`` arrays to ``[i, j, k]``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.nifti_header import check_nifti, is_nifti, read_nifti_header

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SPACING_TOLERANCE = 1e-3  # relative: float32 headers differ by 1e-7, contradictions by far more
_FORM_TOLERANCE_MM = 0.1  # a qform's quaternion is float32 too
_ASSUMED_AXES = "so its axes were taken as left, posterior, superior as Slicer does; check left and right"


def volume_suffix(path: str | Path) -> str | None:
    """The suffix of a volume file (``".nii.gz"``), or None for any other file."""
    name = Path(path).name.lower()
    return next((suffix for suffix in sorted(VOLUME_SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), None)


def read_volume(path: str | Path) -> Image:
    """The 3-D volume in a NIfTI, NRRD or MHA file, in the type it was stored in.

    A fourth axis of length 1 is dropped. Where a NIfTI affine contradicts pixdim, the spacing is pixdim's and the
    directions are the affine's, as in ITK and Slicer; ``geometry_notices`` says so to the user.

    Returns:
        Image with an (ni, nj, nk) array, named by the path.

    Raises:
        TumorTwinError: the file is missing, unreadable, cut short or empty, has several components or time points, a
            spacing that is zero or not finite, or voxels that are NaN or infinite.
    """
    path = Path(path)
    if not path.is_file():
        raise TumorTwinError(f"{path} does not exist: restore the file or correct the path.")
    if path.stat().st_size == 0:
        raise TumorTwinError(f"{path} is an empty file: copy or export it again.")
    if is_nifti(path):
        check_nifti(path)
    reader = _header_reader(path)
    size = reader.GetSize()
    if len(size) < 3 or any(n > 1 for n in size[3:]):
        shape = " x ".join(str(n) for n in size)
        raise TumorTwinError(f"{path} is a {len(size)}-D volume ({shape}): give one 3-D volume per file.")
    if reader.GetNumberOfComponents() != 1:
        raise TumorTwinError(
            f"{path} has {reader.GetNumberOfComponents()} components per voxel: give one 3-D volume of single values."
        )
    grid = _grid(reader, path)
    try:
        with _quiet_itk() as sitk:
            array = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise TumorTwinError(f"{path} breaks off before its last voxel: copy or export it again.") from error
    array = np.ascontiguousarray(array.reshape(array.shape[-3:]).T)
    if np.issubdtype(array.dtype, np.floating) and (bad := array.size - int(np.isfinite(array).sum())):
        raise TumorTwinError(f"{path} holds {bad} NaN or infinite voxels: export it again or replace them.")
    return Image(array, grid, name=str(path))


def write_volume(image: Image, path: str | Path) -> None:
    """Writes ``image`` compressed, in the format of ``path``'s suffix; the file appears whole or not at all.

    Boolean arrays are stored as 0 and 1.

    Raises:
        TumorTwinError: the suffix is not one of ``VOLUME_SUFFIXES``, the grid is sheared and the format is NIfTI, or
            the folder cannot be written.
    """
    path = Path(path)
    suffix = volume_suffix(path)
    if suffix is None:
        raise TumorTwinError(f"{path} has no volume suffix: use one of {', '.join(VOLUME_SUFFIXES)}.")
    spacing = np.array(image.grid.spacing_mm)
    lps = _LPS_TO_RAS @ image.grid.ijk_to_ras
    direction = lps[:3, :3] / spacing
    if is_nifti(path) and np.abs(direction.T @ direction - np.eye(3)).max() > 1e-4:
        raise TumorTwinError(f"{path} cannot hold a sheared grid: write it as .nrrd.")
    array = image.array.astype(np.uint8) if image.array.dtype == bool else image.array
    unfinished = path.with_name(f".{path.name.removesuffix(suffix)}.{os.getpid()}{suffix}")
    try:
        with _quiet_itk() as sitk:
            volume = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
            volume.SetSpacing(spacing.tolist())
            volume.SetOrigin(lps[:3, 3].tolist())
            volume.SetDirection(direction.ravel().tolist())
            sitk.WriteImage(volume, str(unfinished), useCompression=True)
        os.replace(unfinished, path)
    except (RuntimeError, OSError) as error:
        raise TumorTwinError(
            f"{path} cannot be written: check that its folder exists, is writable and not full."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def geometry_notices(paths: Iterable[str | Path]) -> tuple[str, ...]:
    """One sentence for each doubt about where the volumes lie, naming the files it concerns.

    Only headers are read. The volumes are readable: ``read_volume`` has accepted them.
    """
    files_by_doubt: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        if doubt := _geometry_doubt(path):
            files_by_doubt.setdefault(doubt, []).append(path)
    notices = []
    for doubt, files in files_by_doubt.items():
        others = f" and {len(files) - 1} more" if len(files) > 1 else ""
        notices.append(f"{files[0]}{others}: {doubt}.")
    return tuple(notices)


def _geometry_doubt(path: Path) -> str | None:
    reader = _header_reader(path)
    if path.suffix.lower() == ".nrrd" and not reader.HasMetaDataKey("NRRD_space"):
        return f"the header has no orientation, {_ASSUMED_AXES}"
    if not is_nifti(path):
        return None
    header = read_nifti_header(path)
    if not header.has_orientation:
        return f"sform and qform codes are 0, {_ASSUMED_AXES}"
    if header.sform is None:
        return None
    grid = _grid(reader, path)
    in_affine_mm = np.linalg.norm(header.sform[:3, :3], axis=0)
    at_pixdim = header.sform.copy()
    at_pixdim[:3, :3] *= np.array(header.spacing_mm) / in_affine_mm
    corners = np.array([[*corner, 1] for corner in itertools.product(*((0, n) for n in grid.shape))])
    gap_mm = np.linalg.norm(corners @ (at_pixdim - grid.ijk_to_ras).T, axis=1).max()
    if gap_mm > _FORM_TOLERANCE_MM:
        return (
            f"sform and qform disagree by up to {gap_mm:.3g} mm, so the qform was used as Slicer does; check its place"
        )
    if np.abs(in_affine_mm / header.spacing_mm - 1).max() > _SPACING_TOLERANCE:
        used = " x ".join(f"{s:g}" for s in grid.spacing_mm)
        return f"the affine contradicts the voxel spacing, so pixdim's {used} mm was used with the affine's directions"
    return None


def _header_reader(path: Path) -> Any:
    """A SimpleITK reader that has read the header of ``path``."""
    with _quiet_itk() as sitk:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            if "orthonormal" in str(error):
                advice = "has a sheared affine: resample it onto a rectangular grid or export it without the shear"
            else:
                advice = "cannot be read as a volume: copy it again or export it as NIfTI, NRRD or MHA"
            raise TumorTwinError(f"{path} {advice}.") from error
    return reader


def _grid(reader: Any, path: Path) -> Grid:
    spacing = np.array(reader.GetSpacing()[:3])
    dimension = reader.GetDimension()
    direction = np.array(reader.GetDirection()).reshape(dimension, dimension)[:3, :3]
    lps = np.eye(4)
    lps[:3, :3] = direction * spacing
    lps[:3, 3] = reader.GetOrigin()[:3]
    if not (np.isfinite(lps).all() and (spacing > 0).all()):
        values = ", ".join(f"{s:g}" for s in spacing)
        raise TumorTwinError(f"{path} has a voxel spacing of ({values}) mm: write its true spacing into the header.")
    return Grid(reader.GetSize()[:3], _LPS_TO_RAS @ lps)


@contextmanager
def _quiet_itk() -> Iterator[Any]:
    """SimpleITK with its console warnings off: what matters in them is a notice or an error here."""
    import SimpleITK as sitk  # half a second, and most of the library never touches a file

    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield sitk
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
