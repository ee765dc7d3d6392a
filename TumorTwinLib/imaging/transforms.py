"""Linear transforms between scans, as 4x4 matrices on right-anterior-superior millimetres.

A matrix takes a point of the moving scan to where it lies in the fixed one: what Slicer hangs on the moving volume.
Moving an image therefore only changes its ``ijk_to_ras``; voxels are touched once, by ``Image.resample``.
"""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import Grid, Image

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def rigid_matrix(
    rotation_deg: tuple[float, ...], translation_mm: tuple[float, ...], center_mm: np.ndarray
) -> np.ndarray:
    """(4, 4) rotation by a rotation vector about ``center_mm``, then a translation.

    Args:
        rotation_deg: (3,) axis times angle, as in ``scipy.spatial.transform.Rotation.from_rotvec``.
        translation_mm: (3,) RAS.
        center_mm: (3,) RAS point that only the translation moves.
    """
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.asarray(rotation_deg, float), degrees=True).as_matrix()
    matrix[:3, 3] = np.asarray(center_mm) + np.asarray(translation_mm) - matrix[:3, :3] @ np.asarray(center_mm)
    return matrix


def rotation_angle_deg(matrix_ras: np.ndarray) -> float:
    """The one angle of the rotation in a rigid matrix."""
    # from the sine and the cosine both: arccos of the trace alone loses half the digits near zero
    r = np.asarray(matrix_ras)[:3, :3]
    sine = 0.5 * np.linalg.norm([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    return float(np.degrees(np.arctan2(sine, 0.5 * (np.trace(r) - 1.0))))


def move_points(matrix_ras: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """(..., 3) RAS points taken through the matrix."""
    return np.asarray(points_mm) @ matrix_ras[:3, :3].T + matrix_ras[:3, 3]


def distance_mm(first: np.ndarray, second: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """(...,) how far apart two matrices put each of the (..., 3) points."""
    return np.linalg.norm(move_points(first, points_mm) - move_points(second, points_mm), axis=-1)


def move(image: Image, matrix_ras: np.ndarray) -> Image:
    """The image at its new place: the same voxels, another ``ijk_to_ras``."""
    return Image(image.array, Grid(image.grid.shape, matrix_ras @ image.grid.ijk_to_ras), image.name, image.unit)


def apply(image: Image, matrix_ras: np.ndarray, grid: Grid, *, order: int = 1, fill: float = 0.0) -> Image:
    """The moved image at the voxels of ``grid``; ``order`` 0 for labels, as in ``Image.resample``."""
    return move(image, matrix_ras).resample(grid, order=order, fill=fill)
