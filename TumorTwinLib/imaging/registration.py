"""Rigid and affine registration of two scans by mutual information, with a judgement of the result in words.

Mattes mutual information needs no relation between the two contrasts but that they show the same anatomy. It is
maximised from coarse to fine, from several starts, so that a scan turned or shifted far away is found too. Whether the
maximum is the right one is then asked in three ways that do not trust the optimiser: a second run from elsewhere with
other sample points must end at the same place, the heads must overlap, and the mutual information must stand out from
that of wrong positions.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.foreground import foreground
from TumorTwinLib.imaging.mutual_information import Climber, Level, pyramid
from TumorTwinLib.imaging.transforms import apply, distance_mm, move_points, rigid_matrix


@dataclass(frozen=True)
class RegistrationQuality:
    """What speaks for or against a registration.

    Args:
        mutual_information: at the result, in nats.
        contrast: how many standard deviations that lies above the mutual information of wrong positions.
        spread_mm: how far apart two independent runs put a point of the head, at worst.
        overlap: share of the smaller head that lies in the other, where both scans reach; a brain lies in its skull.
        coverage: share of the fixed head that the moving scan reaches.
    """

    mutual_information: float
    contrast: float
    spread_mm: float
    overlap: float
    coverage: float


@dataclass(frozen=True, eq=False)
class Registration:
    """Where a moving scan lies in a fixed one.

    Args:
        matrix_ras: (4, 4) from the moving scan's RAS millimetres to the fixed scan's.
        quality: the figures behind ``warning``.
        warning: a sentence for the user when the result looks wrong, else empty.
    """

    matrix_ras: np.ndarray
    quality: RegistrationQuality
    warning: str = ""


def register_rigid(fixed: Image, moving: Image, *, fixed_mask: Image | None = None, seed: int = 1) -> Registration:
    """Rotation and translation that take ``moving`` to ``fixed``, whatever their contrasts, spacings and axes.

    Args:
        fixed, moving: scans of one patient, with or without the skull.
        fixed_mask: region of the fixed scan to match, e.g. the brain; jaw and neck bend between scans.
        seed: of the sample points.

    Returns:
        the transform with its quality, and a warning where the two do not seem to match.

    Raises:
        TumorTwinError: a scan is constant or too thin to register.
    """
    return _register(fixed, moving, fixed_mask, affine=False, seed=seed)


def register_affine(fixed: Image, moving: Image, *, fixed_mask: Image | None = None, seed: int = 1) -> Registration:
    """As ``register_rigid`` with scales and shears too: for two different heads, such as an atlas and a patient."""
    return _register(fixed, moving, fixed_mask, affine=True, seed=seed)


def _register(fixed: Image, moving: Image, mask: Image | None, *, affine: bool, seed: int) -> Registration:
    for image in (fixed, moving):
        extent_mm = np.array(image.grid.shape) * image.grid.spacing_mm
        if extent_mm.min() < 20.0:
            raise TumorTwinError(
                f"{image.name} is only {extent_mm.min():.0f} mm thick: choose a scan of at least 20 mm to register."
            )
    levels = pyramid(fixed, moving, mask)
    _, middle, _ = levels
    heads = foreground(middle.fixed), foreground(middle.moving)
    points_mm = middle.fixed.grid.ras_mm(np.argwhere(heads[0])[::7])
    scans = (middle.fixed, middle.moving)
    centers_mm = [scan.grid.ras_mm(np.argwhere(head).mean(axis=0)) for scan, head in zip(scans, heads, strict=True)]

    climber = Climber(centers_mm[0], affine, seed)
    found = _search(climber, levels, heads, points_mm, _starts(*centers_mm))
    if warning := _warning(fixed, moving, found[1], affine):
        wider = _search(climber, levels, heads, points_mm, _any_orientation(*centers_mm))
        if wider[1].mutual_information > found[1].mutual_information:
            found = wider
            warning = _warning(fixed, moving, found[1], affine)
    return Registration(*found, warning)


def _search(
    climber: Climber,
    levels: list[Level],
    heads: tuple[np.ndarray, np.ndarray],
    points_mm: np.ndarray,
    starts: list[np.ndarray],
) -> tuple[np.ndarray, RegistrationQuality]:
    """The best end of all starts, reached twice, and what speaks for it."""
    coarse, middle, _ = levels
    ends = sorted((climber.rigid(coarse, start, step_mm=8.0) for start in starts), key=lambda end: -end[1])
    best = climber.rigid(middle, ends[0][0], step_mm=3.0)
    for matrix, _ in ends[1:3]:  # at 8 mm a wrong end can be ahead by chance
        if distance_mm(matrix, ends[0][0], _through(matrix, points_mm)).max() > 6.0:
            best = max(best, climber.rigid(middle, matrix, step_mm=3.0), key=lambda end: end[1])
    # Two more runs come back to it from opposite sides: where they stop short of each other, neither has arrived.
    aside = rigid_matrix((2.0, -2.0, 2.0), (2.0, -2.0, 2.0), climber.center_mm)
    runs = [climber.final(levels, off @ best[0], i) for i, off in enumerate((aside, np.linalg.inv(aside)))]
    matrix, information = max(runs, key=lambda end: end[1])
    spread_mm = float(distance_mm(runs[0][0], runs[1][0], _through(matrix, points_mm)).max())
    contrast = _contrast(climber, middle, matrix)
    return matrix, RegistrationQuality(information, contrast, spread_mm, *_overlap(middle, heads, matrix))


def _through(matrix_ras: np.ndarray, fixed_points_mm: np.ndarray) -> np.ndarray:
    """Points of the moving scan that a transform takes to the given points of the fixed one."""
    return move_points(np.linalg.inv(matrix_ras), fixed_points_mm)


def _starts(fixed_center_mm: np.ndarray, moving_center_mm: np.ndarray) -> list[np.ndarray]:
    """Where the header puts the scan, and with its head's center on the other's: straight and turned each way."""
    onto = np.eye(4)
    onto[:3, 3] = fixed_center_mm - moving_center_mm
    turns = [sign * 25.0 * axis for axis, sign in itertools.product(np.eye(3), (-1, 1))]
    return [np.eye(4), onto, *(rigid_matrix(tuple(turn), (0, 0, 0), fixed_center_mm) @ onto for turn in turns)]


def _any_orientation(fixed_center_mm: np.ndarray, moving_center_mm: np.ndarray) -> list[np.ndarray]:
    """Centers on each other and the head turned every way by steps of 45 degrees or so: when the header is wrong."""
    from scipy.spatial.transform import Rotation

    onto = np.eye(4)
    onto[:3, 3] = fixed_center_mm - moving_center_mm
    eighths = Rotation.from_rotvec(45.0 * np.concatenate([np.eye(3), -np.eye(3)]), degrees=True)
    turns = [*Rotation.create_group("O"), *eighths]
    return [rigid_matrix(tuple(turn.as_rotvec(degrees=True)), (0, 0, 0), fixed_center_mm) @ onto for turn in turns]


def _contrast(climber: Climber, level: Level, matrix: np.ndarray) -> float:
    """Standard deviations between the mutual information at the result and at places 15 to 40 mm and degrees off."""
    rng = np.random.default_rng(climber.seed)
    wrong = []
    for _ in range(16):
        turn, shift = (direction / np.linalg.norm(direction) for direction in rng.normal(size=(2, 3)))
        off = rigid_matrix(tuple(turn * rng.uniform(15, 40)), tuple(shift * rng.uniform(15, 40)), climber.center_mm)
        wrong.append(climber.information(level, off @ matrix))
    return float((climber.information(level, matrix) - np.mean(wrong)) / (np.std(wrong) + 1e-6))


def _overlap(level: Level, heads: tuple[np.ndarray, np.ndarray], matrix: np.ndarray) -> tuple[float, float]:
    fixed, moving = heads
    reach = Image(np.ones(moving.shape, np.float32), level.moving.grid)
    reached = fixed & (apply(reach, matrix, level.fixed.grid).array > 0.5)
    moved = apply(Image(moving.astype(np.float32), level.moving.grid), matrix, level.fixed.grid).array > 0.5
    smaller = min(int(reached.sum()), int(moved.sum()))
    overlap = int((fixed & moved).sum()) / smaller if smaller else 0.0
    return overlap, int(reached.sum()) / max(int(fixed.sum()), 1)


def _warning(fixed: Image, moving: Image, quality: RegistrationQuality, affine: bool) -> str:
    """One sentence for the user, or nothing."""
    doubts = []
    if quality.spread_mm > (4.0 if affine else 1.0):
        doubts.append(f"two independent attempts differ by {quality.spread_mm:.1f} mm")
    if quality.overlap < 0.85:
        doubts.append(f"only {100 * quality.overlap:.0f} % of the smaller head lies within the other")
    if quality.coverage < 0.3:
        doubts.append(f"it shows only {100 * quality.coverage:.0f} % of the head")
    if quality.contrast < 4.0:
        doubts.append("the match is hardly better than at wrong positions")
    if not doubts:
        return ""
    why = ", and ".join(doubts)
    return f"{moving.name} may not be aligned with {fixed.name}: {why}; check the overlay before using it."
