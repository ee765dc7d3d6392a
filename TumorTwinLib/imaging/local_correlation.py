"""The last millimetre of a rigid registration: how well small cubes of one scan correlate with the other.

Within a cube of 10 mm there are two or three tissues, and the values of one contrast are close to a linear function
of those of another, up or down. The squared correlation, averaged over many cubes, therefore peaks where the anatomy
agrees, whatever the contrasts. Coil shading hardly changes within a cube, a tumor spoils only the cubes it lies in,
and cubes near an edge that is no anatomy (a stripped brain's outline, the end of the field of view) are left out.
That edge is what draws mutual information aside by some millimetres when two scans were stripped differently.
The idea is that of local cross-correlation (Avants, Med Image Anal 2008), here on sparse cubes with Newton's method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.transforms import move_points, rigid_matrix

_HALF = 2  # voxels: cubes of 5 x 5 x 5
_STEP = 3  # voxels between the centers of cubes
_EDGE_MM = 4.0  # nothing closer to an artificial edge is looked at
_CUBES = 1500
_NOISE = 1.05  # caps the weight of cubes that agree perfectly
_BLUR = 0.7  # voxels: else values between voxels are smoother than those on them, and voxels attract each other


@dataclass(frozen=True, eq=False)
class Cubes:
    """Small cubes of the fixed scan.

    Args:
        points_mm: (cubes, 125, 3) RAS of their voxels.
        values: (cubes, 125) with mean 0 and norm 1 in each cube.
    """

    points_mm: np.ndarray
    values: np.ndarray

    def __getitem__(self, chosen: slice | np.ndarray) -> Cubes:
        return Cubes(self.points_mm[chosen], self.values[chosen])

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Field:
    """The moving scan to look values up in: (4, ni, nj, nk) value and RAS gradient, with the depth of each voxel."""

    stack: np.ndarray
    depth_mm: np.ndarray
    grid: Grid

    def at(self, points_mm: np.ndarray) -> np.ndarray:
        """(4, ...) value and gradient per mm at RAS points."""
        return np.stack([_sample(layer, self.grid, points_mm) for layer in self.stack])


def depth_in_mm(image: Image, grid: Grid) -> np.ndarray:
    """(shape of ``grid``) distance in mm from the end of the scan and from a background that was set to one value."""
    from scipy import ndimage

    array = image.array
    faces = np.concatenate([array[[0, -1]].ravel(), array[:, [0, -1]].ravel(), array[:, :, [0, -1]].ravel()])
    values, counts = np.unique(faces, return_counts=True)
    shown = Image((array != values[np.argmax(counts)]).astype(np.float32), image.grid).resample(grid).array > 0.99
    shown = np.pad(ndimage.binary_fill_holes(shown), 1)
    return ndimage.distance_transform_edt(shown, sampling=grid.spacing_mm)[1:-1, 1:-1, 1:-1]


def field(moving: Image, depth: np.ndarray) -> Field:
    """``moving`` blurred a little, with its gradient."""
    from scipy import ndimage

    values = ndimage.gaussian_filter(moving.array.astype(np.float32), _BLUR)
    per_voxel = np.stack(np.gradient(values))
    per_mm = np.einsum("vr,v...->r...", np.linalg.inv(moving.grid.ijk_to_ras[:3, :3]), per_voxel)
    return Field(np.concatenate([values[None], per_mm]).astype(np.float32), depth, moving.grid)


def cubes(fixed: Image, depth: np.ndarray, moving: Field, matrix_ras: np.ndarray, seed: int) -> Cubes:
    """Cubes with structure, in random order, well inside both scans where ``matrix_ras`` puts the moving one.

    Args:
        depth: of the fixed scan's voxels; 0 where they are not to be used.
    """
    from scipy import ndimage

    values = ndimage.gaussian_filter(fixed.array.astype(np.float32), _BLUR)
    size = 2 * _HALF + 1
    variance = ndimage.uniform_filter(values**2, size) - ndimage.uniform_filter(values, size) ** 2
    inside = ndimage.minimum_filter(depth, size) > _EDGE_MM
    lattice = np.zeros(depth.shape, bool)
    lattice[_HALF::_STEP, _HALF::_STEP, _HALF::_STEP] = True
    centers = np.argwhere(lattice & inside)
    offsets = np.stack(np.meshgrid(*[np.arange(-_HALF, _HALF + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    to_moving = np.linalg.inv(matrix_ras)
    corners = centers[:, None] + offsets[[0, 4, 20, 24, 100, 104, 120, 124]]
    there = _sample(moving.depth_mm, moving.grid, move_points(to_moving, fixed.grid.ras_mm(corners)))
    centers = centers[(there > _EDGE_MM).all(axis=1)]
    if len(centers) == 0:
        return Cubes(np.zeros((0, len(offsets), 3)), np.zeros((0, len(offsets))))
    structure = variance[tuple(centers.T)]
    centers = centers[structure >= np.median(structure)]
    voxels = np.random.default_rng(seed).permutation(centers)[:_CUBES, None] + offsets
    found = values[tuple(np.moveaxis(voxels, -1, 0))]
    found = found - found.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(found, axis=1, keepdims=True)
    return Cubes(fixed.grid.ras_mm(voxels), found / np.maximum(norm, 1e-6))


def agreement(chosen: Cubes, moving: Field, matrix_ras: np.ndarray) -> float:
    """Mean squared correlation over the cubes, 0 to 1."""
    if len(chosen) == 0:
        return 0.0
    values = _sample(moving.stack[0], moving.grid, move_points(np.linalg.inv(matrix_ras), chosen.points_mm))
    return float(_correlations(chosen, values, 0.0)[0].mean())


def refine(chosen: Cubes, moving: Field, matrix_ras: np.ndarray) -> np.ndarray:
    """(4, 4) where the cubes agree best, uphill from ``matrix_ras`` by damped Newton steps.

    Each cube has a line between its two contrasts and noise of its own: the likelihood gives clear cubes most weight.
    """
    to_moving = np.linalg.inv(matrix_ras)
    where = move_points(to_moving, chosen.points_mm)
    sampled = moving.at(where)
    energy = ((sampled[0] - sampled[0].mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    floor = 0.1 * float(np.median(energy))  # cubes that are flat in the moving scan have no say
    best, slope, curvature = _uphill(chosen, where, sampled, floor)
    damping = 0.1
    for _ in range(30):
        step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)) + 1e-12 * np.eye(6), slope)
        tried = rigid_matrix(tuple(np.degrees(step[:3])), tuple(step[3:]), where.mean(axis=(0, 1))) @ to_moving
        there = move_points(tried, chosen.points_mm)
        sampled = moving.at(there)
        result = _uphill(chosen, there, sampled, floor)
        if result[0] > best:
            to_moving, where, damping = tried, there, damping / 4
            best, slope, curvature = result
        else:
            damping = max(8 * damping, 0.01)
        if np.linalg.norm(step[3:]) + 80.0 * np.linalg.norm(step[:3]) < 0.02:
            break
    return np.linalg.inv(to_moving)


def _correlations(chosen: Cubes, values: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cubes,) squared correlations, (cubes,) energies and the centered values."""
    centered = values - values.mean(axis=1, keepdims=True)
    energy = (centered**2).sum(axis=1) + floor + 1e-6
    return (chosen.values * centered).sum(axis=1) ** 2 / energy, energy, centered


def _uphill(
    chosen: Cubes, where: np.ndarray, sampled: np.ndarray, floor: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood of a linear relation in each cube, -log(1 - r^2), averaged; its slope and curvature.

    By (6,) rotation in rad and shift in mm about the mean point.
    """
    squared, energy, centered = _correlations(chosen, sampled[0], floor)
    gradient = np.moveaxis(sampled[1:], 0, -1)
    arm = where - where.mean(axis=(0, 1))
    jacobian = np.concatenate([np.cross(arm, gradient), gradient], axis=-1)  # (cubes, points, 6)
    projection = (chosen.values * centered).sum(axis=1)
    share = 1.0 / (_NOISE - squared) / energy / len(chosen)
    pull = (projection[:, None] * chosen.values - squared[:, None] * centered) * share[:, None]
    slope = 2.0 * np.einsum("cp,cpj->j", pull, jacobian)
    jacobian = jacobian - jacobian.mean(axis=1, keepdims=True)
    along = np.einsum("cp,cpj->cj", chosen.values, jacobian)
    weight = 2.0 * squared * share
    rows = (jacobian * np.sqrt(weight)[:, None, None]).reshape(-1, 6)
    return float(-np.log(_NOISE - squared).mean()), slope, rows.T @ rows - (along * weight[:, None]).T @ along


def _sample(values: np.ndarray, grid: Grid, points_mm: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    ijk = move_points(np.linalg.inv(grid.ijk_to_ras), points_mm)
    return ndimage.map_coordinates(values, np.moveaxis(ijk, -1, 0), order=1, output=np.float32)
