"""What a NIfTI-1 file says before ITK repairs it.

ITK turns a spacing of 0 or NaN into 1 mm and NaN voxels into 0, reads a file that was cut short as zeros, and chooses
between pixdim, sform and qform, all in silence. Each of these changes the patient, so the file is looked at here as it
was written.
Layout: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError

_HEADER_BYTES = 348
_NIFTI2_BYTES = 540
_FLOAT_TYPES = (16, 64)  # datatype codes of float32 and float64
_BLOCK_VOXELS = 1 << 20
_MM_PER_UNIT = {1: 1e3, 2: 1.0, 3: 1e-3}  # xyzt_units & 7: metre, millimetre, micrometre; 0 (unknown) is taken as mm


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """The geometry a NIfTI-1 file declares.

    Args:
        spacing_mm: pixdim[1..3], in millimetres.
        sform: (4, 4) voxel index to RAS millimetres, or None when ``sform_code`` is 0.
        has_orientation: ``sform_code`` or ``qform_code`` is set.
        voxel_offset: where the voxels begin in the decompressed file, in bytes.
        voxels: how many there are, all axes together.
        bytes_per_voxel: of one voxel, all components together.
        float_type: NumPy's name of the voxel type when it is a floating-point number, else None.
    """

    spacing_mm: tuple[float, float, float]
    sform: np.ndarray | None
    has_orientation: bool
    voxel_offset: int
    voxels: int
    bytes_per_voxel: int
    float_type: str | None


def is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti_header(path: Path) -> NiftiHeader:
    """The header of ``path`` as written.

    Raises:
        TumorTwinError: it is no NIfTI-1 file, or its spacing or affine is zero, negative, NaN or infinite.
    """
    try:
        with _open(path) as file:
            raw = file.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise TumorTwinError(f"{path} cannot be read: it may be damaged, so copy or export it again.") from error
    declared = {"<": int.from_bytes(raw[:4], "little"), ">": int.from_bytes(raw[:4], "big")}
    order = next((order for order, length in declared.items() if length == _HEADER_BYTES == len(raw)), None)
    if order is None:
        if _NIFTI2_BYTES in declared.values():
            raise TumorTwinError(f"{path} is NIfTI-2, which Slicer cannot read: save it as NIfTI-1 or NRRD.")
        raise TumorTwinError(f"{path} is not a NIfTI file: copy or export it again.")

    dim = struct.unpack_from(f"{order}8h", raw, 40)
    data_type, bits_per_voxel = struct.unpack_from(f"{order}2h", raw, 70)
    pixdim = struct.unpack_from(f"{order}8f", raw, 76)
    (offset,) = struct.unpack_from(f"{order}f", raw, 108)
    qform_code, sform_code = struct.unpack_from(f"{order}2h", raw, 252)
    rows = np.array(struct.unpack_from(f"{order}12f", raw, 280), dtype=np.float64).reshape(3, 4)

    mm = _MM_PER_UNIT.get(raw[123] & 7, 1.0)
    spacing = np.array(pixdim[1:4]) * mm
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        values = ", ".join(f"{s:g}" for s in spacing)
        raise TumorTwinError(f"{path} has a voxel spacing of ({values}) mm: write its true spacing into the header.")
    if sform_code > 0 and not np.isfinite(rows).all():
        raise TumorTwinError(f"{path} has an affine that is not finite: write its true sform into the header.")
    voxels = int(np.prod([max(1, n) for n in dim[1 : 1 + max(0, min(dim[0], 7))]], dtype=np.int64))
    return NiftiHeader(
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        sform=np.vstack([rows * mm, [0, 0, 0, 1]]) if sform_code > 0 else None,
        has_orientation=sform_code > 0 or qform_code > 0,
        voxel_offset=int(offset),
        voxels=voxels,
        bytes_per_voxel=bits_per_voxel // 8,
        float_type=f"{order}f{bits_per_voxel // 8}" if data_type in _FLOAT_TYPES else None,
    )


def check_nifti(path: Path) -> None:
    """Refuses what ITK would repair in silence: bad spacing, a file cut short, voxels that are NaN or infinite.

    Raises:
        TumorTwinError: with one sentence naming the file.
    """
    header = read_nifti_header(path)
    seen = not_finite = 0
    try:
        with _open(path) as file:
            file.seek(header.voxel_offset)
            while seen < header.voxels and (block := file.read(_BLOCK_VOXELS * header.bytes_per_voxel)):
                whole = len(block) // header.bytes_per_voxel
                seen += whole
                if header.float_type:
                    not_finite += whole - int(np.isfinite(np.frombuffer(block, header.float_type, whole)).sum())
    except (OSError, EOFError, zlib.error):
        seen = 0  # a compressed stream that breaks off
    if seen < header.voxels:
        raise TumorTwinError(f"{path} breaks off before its last voxel: copy or export it again.")
    if not_finite:
        raise TumorTwinError(f"{path} holds {not_finite} NaN or infinite voxels: export it again or replace them.")


def _open(path: Path):
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if compressed else path.open("rb")
