"""The organ as the solver sees it: padded state arrays and the face coefficients of the diffusion operator.

Finite volumes in flux form: with ``h`` the spacing along an axis and ``d`` the relative diffusivity,
``(L u)_c = sum_faces d_face (u_neighbour - u_c) / h^2``. ``d_face`` is the harmonic mean of the two voxels and zero
when either voxel lies outside the mask, so no cells cross the organ's wall and mass is conserved to rounding on any
mask and any spacing. Axes are stored longest last, which gives the kernels long contiguous rows.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, bounding_box


@dataclass(frozen=True, eq=False)
class Domain:
    """Mask, face coefficients and layout of a simulation.

    Args:
        grid: the grid users see; fields come back on it.
        lower, upper: the cropped box inside ``grid`` that holds every mask voxel.
        axes: order of the grid's axes in the state arrays.
        mask: (X, Y, Z) True inside the organ, in state layout with one voxel of padding.
        face_coefficients_per_mm2: (3, X, Y, Z) float32, since 1e-7 of a diffusivity is nothing and both sides of a
            face use the same number; entry ``[a, i, j, k]`` is the face between the voxel and its lower neighbour
            along state axis ``a``, relative diffusivity over spacing squared.
    """

    grid: Grid
    lower: tuple[int, ...]
    upper: tuple[int, ...]
    axes: tuple[int, int, int]
    mask: np.ndarray
    face_coefficients_per_mm2: np.ndarray

    @property
    def state_shape(self) -> tuple[int, int, int]:
        return self.mask.shape

    @functools.cached_property
    def rate_bound_per_mm2(self) -> float:
        """Gershgorin bound on the largest eigenvalue of ``-L``: times diffusivity and step, the stability number."""
        total = np.zeros(self.state_shape)
        for axis in range(3):
            faces = self.face_coefficients_per_mm2[axis]
            total += faces
            total[_lower(axis)] += faces[_upper(axis)]
        return float(2.0 * total.max())

    @functools.cached_property
    def row_range(self) -> np.ndarray:
        """(2, X, Y) first and one-past-last mask voxel of every row along the last axis; empty rows are (1, 1)."""
        any_in_row = self.mask.any(axis=2)
        first = np.where(any_in_row, self.mask.argmax(axis=2), 1)
        last = np.where(any_in_row, self.mask.shape[2] - self.mask[:, :, ::-1].argmax(axis=2), 1)
        return np.ascontiguousarray(np.stack([first, last]), dtype=np.int64)

    @property
    def voxel_volume_mm3(self) -> float:
        return self.grid.voxel_volume_mm3

    @property
    def _window(self) -> tuple[slice, ...]:
        """The cropped box on the grid."""
        return tuple(slice(low, up) for low, up in zip(self.lower, self.upper, strict=True))

    def pack(self, values: np.ndarray, dtype=np.float32) -> np.ndarray:
        """(..., ni, nj, nk) on the grid to (..., X, Y, Z) in state layout, zero outside the mask."""
        if values.shape[-3:] != self.grid.shape:
            raise TumorTwinError(
                f"A field of {values.shape[-3:]} voxels does not fit the model's {self.grid.shape} grid: resample it."
            )
        box = values[(slice(None),) * (values.ndim - 3) + self._window]
        lead = tuple(range(box.ndim - 3))
        turned = box.transpose(*lead, *(len(lead) + axis for axis in self.axes))
        state = np.zeros((*box.shape[:-3], *self.state_shape), dtype=dtype)
        inside = self.mask[1:-1, 1:-1, 1:-1]  # what lies outside is not read: maps may be undefined there
        np.copyto(state[..., 1:-1, 1:-1, 1:-1], turned, where=inside, casting="unsafe")
        return state

    def unpack(self, state: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """(..., X, Y, Z) in state layout to (..., ni, nj, nk) on the grid, into ``out`` if given; zero outside the box.

        ``out`` must hold zeros.
        """
        inner = state[..., 1:-1, 1:-1, 1:-1]
        lead = tuple(range(inner.ndim - 3))
        back = np.argsort(self.axes)
        turned = inner.transpose(*lead, *(len(lead) + axis for axis in back))
        values = np.zeros((*state.shape[:-3], *self.grid.shape), dtype=state.dtype) if out is None else out
        values[(slice(None),) * len(lead) + self._window] = turned
        return values

    def without(self, cavity: np.ndarray) -> Domain:
        """The domain after ``cavity``, (ni, nj, nk) Boolean on the grid, has been taken out: closed towards it."""
        gone = self.pack(cavity, bool)
        faces = self.face_coefficients_per_mm2.copy()
        for axis in range(3):
            faces[axis][gone] = 0.0
            faces[axis][_upper(axis)][gone[_lower(axis)]] = 0.0
        rest = Domain(self.grid, self.lower, self.upper, self.axes, self.mask & ~gone, faces)
        # The bound of the whole still holds, and steps planned with it stay the same.
        rest.__dict__["rate_bound_per_mm2"] = self.rate_bound_per_mm2
        return rest

    def crop(self, box: np.ndarray) -> Domain:
        """The part of the domain in a box, closed on all sides.

        Args:
            box: (3, 2) first and one-past-last state voxel of each axis, without padding.
        """
        if np.array_equal(box, [[1, n - 1] for n in self.state_shape]):
            return self
        window = tuple(slice(int(low) - 1, int(high) + 1) for low, high in box)
        mask = self.mask[window].copy()
        faces = self.face_coefficients_per_mm2[(slice(None), *window)].copy()
        for axis in range(3):
            for plane in (0, -1):
                mask[_plane(axis, plane)] = False
                faces[(slice(None), *_plane(axis, plane))] = 0.0
            faces[(axis, *_plane(axis, 1))] = 0.0
        lower, upper = list(self.lower), list(self.upper)
        for axis, (low, high) in zip(self.axes, box, strict=True):
            lower[axis], upper[axis] = self.lower[axis] + int(low) - 1, self.lower[axis] + int(high) - 1
        return Domain(self.grid, tuple(lower), tuple(upper), self.axes, mask, faces)


def make_domain(grid: Grid, mask: np.ndarray, relative_diffusivity: np.ndarray | float = 1.0) -> Domain:
    """Build the domain of ``mask`` with a relative diffusivity per voxel (1 where the model's D applies as it is).

    Args:
        grid: (ni, nj, nk) grid; its axes must be orthogonal.
        mask: (ni, nj, nk) Boolean, True inside the organ.
        relative_diffusivity: (ni, nj, nk) or scalar, dimensionless and not negative; the solver multiplies it by D.

    Raises:
        TumorTwinError: empty mask, shapes that differ, sheared grid, or negative or non-finite diffusivity.
    """
    if mask.shape != grid.shape:
        raise TumorTwinError(f"The mask has {mask.shape} voxels and the grid {grid.shape}: resample it to the grid.")
    cosines = (grid.ijk_to_ras[:3, :3] / grid.spacing_mm).T @ (grid.ijk_to_ras[:3, :3] / grid.spacing_mm)
    if not np.allclose(cosines, np.eye(3), atol=1e-3):
        raise TumorTwinError("The grid's axes are not orthogonal: resample the images to a grid without shear.")
    mask = mask.astype(bool)
    lower, upper = bounding_box(mask)
    box = tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))
    relative = np.broadcast_to(np.asarray(relative_diffusivity, dtype=np.float64), grid.shape)[box]
    relative = np.where(mask[box], relative, 0.0)
    if not np.isfinite(relative).all() or relative.min() < 0:
        raise TumorTwinError("The relative diffusivity has negative or non-finite voxels: check the tissue maps.")
    first, second, third = (int(axis) for axis in np.argsort(relative.shape, kind="stable"))
    axes = (first, second, third)
    inside = np.pad(mask[box].transpose(axes), 1)
    relative = np.pad(relative.transpose(axes), 1)
    spacing_mm = [grid.spacing_mm[axis] for axis in axes]
    faces = np.zeros((3, *inside.shape), dtype=np.float32)
    for axis in range(3):
        a, b = relative[_upper(axis)], relative[_lower(axis)]
        total = a + b
        harmonic = np.divide(2.0 * a * b, total, out=np.zeros_like(total), where=total > 0)
        faces[axis][_upper(axis)] = harmonic / spacing_mm[axis] ** 2
    return Domain(grid, lower, upper, axes, inside, faces)


def _upper(axis: int) -> tuple[slice, ...]:
    """Every voxel that has a lower neighbour along ``axis``."""
    return tuple(slice(1, None) if a == axis else slice(None) for a in range(3))


def _lower(axis: int) -> tuple[slice, ...]:
    """The lower neighbours of ``_upper``."""
    return tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))


def _plane(axis: int, index: int) -> tuple[int | slice, ...]:
    """All voxels with this index along ``axis``."""
    return tuple(index if a == axis else slice(None) for a in range(3))
