"""Where voxels are in the patient: one immutable grid, and images that carry it.

Arrays are indexed ``[i, j, k]``; ``ijk_to_ras`` maps voxel centres to right-anterior-superior
millimetres, as in MRML and NIfTI. ITK's left-posterior-superior convention is converted once, in
``volume_files``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np

from TumorTwinLib.errors import TumorTwinError

_SAME_GEOMETRY_MM = 1e-3  # grids closer than this at every corner are the same grid


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular voxel grid in patient space.

    Args:
        shape: number of voxels along i, j, k.
        ijk_to_ras: (4, 4) affine from voxel index to RAS millimetres.

    Raises:
        TumorTwinError: the affine is not finite, is singular, or the shape is not three positive sizes.
    """

    shape: tuple[int, ...]
    ijk_to_ras: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.ijk_to_ras, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise TumorTwinError(f"A grid needs three positive sizes, not {shape}: give one 3-D volume.")
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise TumorTwinError(f"The geometry of a {shape} grid is not finite: repair the file's affine.")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise TumorTwinError(f"A {shape} grid has zero voxel spacing: repair the file's spacing.")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "ijk_to_ras", affine)

    @classmethod
    def from_spacing(cls, shape: tuple[int, ...], spacing_mm: tuple[float, ...], origin_mm=(0.0, 0.0, 0.0)) -> Grid:
        """An axis-aligned grid whose first voxel centre is at ``origin_mm`` (RAS)."""
        affine = np.diag([*spacing_mm, 1.0])
        affine[:3, 3] = origin_mm
        return cls(tuple(shape), affine)

    @functools.cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        i, j, k = (float(s) for s in np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0))
        return i, j, k

    @property
    def voxel_volume_mm3(self) -> float:
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3])))

    def same_as(self, other: Grid) -> bool:
        """True when every voxel centre of both grids coincides within a micrometre."""
        if self.shape != other.shape:
            return False
        corners = np.array(
            [[i, j, k, 1] for i in (0, self.shape[0]) for j in (0, self.shape[1]) for k in (0, self.shape[2])]
        )
        gap = corners @ (self.ijk_to_ras - other.ijk_to_ras).T
        return bool(np.abs(gap).max() < _SAME_GEOMETRY_MM)

    def ras_mm(self, ijk: np.ndarray) -> np.ndarray:
        """(..., 3) voxel indices to (..., 3) RAS millimetres."""
        return np.asarray(ijk) @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def crop(self, lower: tuple[int, ...], upper: tuple[int, ...]) -> Grid:
        """The sub-grid ``[lower, upper)``; negative lower or large upper pads. The origin moves with it."""
        affine = self.ijk_to_ras.copy()
        affine[:3, 3] = self.ras_mm(np.asarray(lower))
        return Grid(tuple(int(u - low) for low, u in zip(lower, upper, strict=True)), affine)

    def pad(self, voxels: int) -> Grid:
        return self.crop((-voxels,) * 3, tuple(n + voxels for n in self.shape))

    def with_spacing(self, spacing_mm: float | tuple[float, float, float]) -> Grid:
        """The grid that covers the same box (outer voxel faces) along the same axes; one number is isotropic."""
        directions = self.ijk_to_ras[:3, :3] / np.array(self.spacing_mm)
        extent_mm = np.array(self.shape) * np.array(self.spacing_mm)
        shape = tuple(int(n) for n in np.maximum(1, np.round(extent_mm / spacing_mm)))
        centre = self.ras_mm((np.array(self.shape) - 1) / 2)
        affine = np.eye(4)
        affine[:3, :3] = directions * spacing_mm
        affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        return Grid(shape, affine)

    def to_dict(self) -> dict:
        return {"shape": list(self.shape), "ijk_to_ras": self.ijk_to_ras.tolist()}

    @classmethod
    def from_dict(cls, data: dict) -> Grid:
        return cls(tuple(data["shape"]), np.array(data["ijk_to_ras"]))


@dataclass(frozen=True, eq=False)
class Image:
    """One 3-D array on one grid.

    Args:
        array: (ni, nj, nk) values.
        grid: where they are.
        name: what messages call it: a file's path or a node's name.
        unit: of the values, e.g. ``"1e-6 mm2/s"``; empty for masks and arbitrary intensity.
    """

    array: np.ndarray
    grid: Grid
    name: str = field(default="image", compare=False)
    unit: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise TumorTwinError(
                f"{self.name} has {self.array.shape} voxels but its grid has {self.grid.shape}: give one 3-D volume."
            )

    def resample(self, grid: Grid, *, order: int = 1, fill: float = 0.0) -> Image:
        """Values at the voxel centres of ``grid``, found through world coordinates.

        Linear (``order=1``) by default, nearest (0) for labels. When the target is coarser the source is first
        averaged over the target's voxel, so that a fine mask becomes a fraction instead of a sample.
        """
        if self.grid.same_as(grid):
            return self
        from scipy import ndimage  # scipy costs 100 ms to import and most readers never resample

        to_source = np.linalg.inv(self.grid.ijk_to_ras) @ grid.ijk_to_ras
        values = self.array.astype(np.float32) if order else self.array
        if order:
            # width of one target voxel along each source axis, in source voxels
            width = np.abs(to_source[:3, :3]).max(axis=1)
            sigma = np.sqrt(np.maximum(width**2 - 1.0, 0.0) / 12.0)  # box of that width, beyond the source's own
            if sigma.max() > 0.1:
                values = ndimage.gaussian_filter(values, sigma, mode="nearest")
        # "grid-constant", not "constant": the latter blanks a whole outer layer when rounding in a float32 header puts
        # its voxel centres 1e-7 outside the array.
        sampled = ndimage.affine_transform(
            values,
            to_source[:3, :3],
            to_source[:3, 3],
            output_shape=grid.shape,
            order=order,
            mode="grid-constant",
            cval=fill,
        )
        return Image(sampled, grid, self.name, self.unit)


def bounding_box(mask: np.ndarray, margin: tuple[int, int, int] = (0, 0, 0)) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lower (inclusive) and upper (exclusive) corner of the True voxels, widened by ``margin`` inside the array.

    Raises:
        TumorTwinError: the mask is empty.
    """
    if not mask.any():
        raise TumorTwinError("The mask is empty: check that the segmentation holds at least one voxel.")
    lower, upper = [], []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        lower.append(max(0, int(used[0]) - margin[axis]))
        upper.append(min(mask.shape[axis], int(used[-1]) + 1 + margin[axis]))
    return tuple(lower), tuple(upper)
