"""Real heads displaced by a known amount, for tests and benchmarks of registration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.foreground import foreground
from TumorTwinLib.imaging.registration import Registration
from TumorTwinLib.imaging.transforms import apply, distance_mm, move_points, rigid_matrix, rotation_angle_deg
from TumorTwinLib.volume_files import read_volume

CASES = ("00006", "01476", "01477", "01479", "01480", "01481")


def brats(data: Path, case: str, modality: str) -> Image:
    """A BraTS scan, e.g. case "00006", modality "t1ce"."""
    return read_volume(data / "brats2021" / f"BraTS2021_{case}" / f"BraTS2021_{case}_{modality}.nii.gz")


def random_displacement(
    head: Image, rng: np.random.Generator, *, angle_deg: float = 10.0, shift_mm: float = 15.0
) -> np.ndarray:
    """(4, 4) turn about the head's center by ``angle_deg`` and shift by ``shift_mm``, each in a random direction."""
    turn, shift = (direction / np.linalg.norm(direction) for direction in rng.normal(size=(2, 3)))
    center_mm = head.grid.ras_mm(np.argwhere(foreground(head)).mean(axis=0))
    return rigid_matrix(tuple(angle_deg * turn), tuple(shift_mm * shift), center_mm)


def displaced(image: Image, matrix_ras: np.ndarray, rng: np.random.Generator) -> Image:
    """``image`` scanned again after the head moved: new voxels and noise, and the brain stripped 3 mm tighter.

    The head lies where the inverse of ``matrix_ras`` takes it, so that a registration should return that matrix. The
    tighter mask is so that outlines of two masks of one mold do not give the answer away.
    """
    from scipy import ndimage

    inside = ndimage.binary_erosion(image.array != 0, iterations=max(1, round(3.0 / min(image.grid.spacing_mm))))
    stripped = (image.array == 0).mean() > 0.3
    shown = Image(np.where(inside, image.array, 0) if stripped else image.array, image.grid, image.name)
    moved = apply(shown, np.linalg.inv(matrix_ras), image.grid)
    noise = 0.02 * np.percentile(moved.array, 99) * rng.normal(size=moved.array.shape)
    return Image((moved.array + noise * (moved.array != 0)).astype(np.float32), image.grid, f"moved {image.name}")


def errors(found: Registration, truth_ras: np.ndarray, head: Image) -> tuple[float, float]:
    """Worst displacement over the head's voxels in mm, and the angle between the rotations in degrees."""
    points_mm = head.grid.ras_mm(np.argwhere(foreground(head))[::29])
    where = move_points(np.linalg.inv(truth_ras), points_mm)
    gap = found.matrix_ras @ np.linalg.inv(truth_ras)
    return float(distance_mm(found.matrix_ras, truth_ras, where).max()), rotation_angle_deg(gap)
