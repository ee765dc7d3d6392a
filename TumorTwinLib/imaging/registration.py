"""Rigid and affine registration of two scans, with a judgement of the result in words.

Mattes mutual information needs no relation between the two contrasts but that they show the same anatomy. It is
maximised from coarse to fine, and where the end is doubtful again from every orientation, so that a scan turned or
shifted far away is found too. Two scans
of one head then agree cube by cube (``local_correlation``), which is what the last millimetre is found by. Whether
the end is the right one is asked in three ways that do not trust the optimiser: a second run from elsewhere that sees
other parts of the head must end at the same place, the heads must overlap, and cubes must agree better than at wrong
positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.foreground import foreground
from TumorTwinLib.imaging.local_correlation import Cubes, Field, agreement, cubes, depth_in_mm, field, refine
from TumorTwinLib.imaging.mutual_information import Climber, Level, pyramid
from TumorTwinLib.imaging.transforms import apply, distance_mm, move_points, rigid_matrix

_FEW_CUBES = 60  # too few to go by: a thin slab


@dataclass(frozen=True)
class RegistrationQuality:
    """What speaks for or against a registration.

    Args:
        agreement: mean squared correlation of small cubes at the result, 0 to 1.
        contrast: how many standard deviations that lies above the agreement at wrong positions.
        spread_mm: how far apart two independent runs put a point of the head, at worst.
        overlap: share of the smaller head that lies in the other, where both scans reach; a brain lies in its skull.
        coverage: share of the fixed head that the moving scan reaches.
    """

    agreement: float
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


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two scans prepared for a search: at three resolutions, their heads at 4 mm, and how deep they lie at 2 mm."""

    levels: list[Level]
    heads: tuple[np.ndarray, np.ndarray]
    points_mm: np.ndarray
    centers_mm: tuple[np.ndarray, np.ndarray]
    depth_mm: np.ndarray
    field: Field


def _pair(fixed: Image, moving: Image, mask: Image | None) -> _Pair:
    levels = pyramid(fixed, moving, mask)
    _, middle, fine = levels
    scans = (middle.fixed, middle.moving)
    heads = foreground(scans[0]), foreground(scans[1])
    fixed_mm, moving_mm = (s.grid.ras_mm(np.argwhere(head).mean(axis=0)) for s, head in zip(scans, heads, strict=True))
    depth_mm = depth_in_mm(fixed, fine.fixed.grid)
    if fine.mask is not None:
        depth_mm = np.where(fine.mask.array > 0.5, depth_mm, 0.0)
    return _Pair(
        levels,
        heads,
        scans[0].grid.ras_mm(np.argwhere(heads[0])[::7]),
        (fixed_mm, moving_mm),
        depth_mm,
        field(fine.moving, depth_in_mm(moving, fine.moving.grid)),
    )


def _register(fixed: Image, moving: Image, mask: Image | None, *, affine: bool, seed: int) -> Registration:
    for image in (fixed, moving):
        extent_mm = np.array(image.grid.shape) * image.grid.spacing_mm
        if extent_mm.min() < 20.0:
            raise TumorTwinError(
                f"{image.name} is only {extent_mm.min():.0f} mm thick: choose a scan of at least 20 mm to register."
            )
    pair = _pair(fixed, moving, mask)
    climber = Climber(pair.centers_mm[0], affine, seed)
    found = _search(climber, pair, _starts(*pair.centers_mm))
    if warning := _warning(fixed, moving, found[1], affine):
        wider = _search(climber, pair, _any_orientation(*pair.centers_mm))
        if wider[1].agreement > found[1].agreement:
            found = wider
            warning = _warning(fixed, moving, found[1], affine)
    return Registration(*found, warning)


def _search(climber: Climber, pair: _Pair, starts: list[np.ndarray]) -> tuple[np.ndarray, RegistrationQuality]:
    """The best end of all starts, reached twice, and what speaks for it."""
    coarse, middle, fine = pair.levels
    ends = sorted((climber.rigid(coarse, start, step_mm=8.0) for start in starts), key=lambda end: -end[1])
    best = climber.rigid(middle, ends[0][0], step_mm=3.0)
    for matrix, _ in ends[1:3]:  # at 8 mm a wrong end can be ahead by chance
        if distance_mm(matrix, ends[0][0], _through(matrix, pair.points_mm)).max() > 6.0:
            best = max(best, climber.rigid(middle, matrix, step_mm=3.0), key=lambda end: end[1])
    seen = cubes(fine.fixed, pair.depth_mm, pair.field, best[0], climber.seed)
    # Two more runs come back to it from opposite sides: where they stop short of each other, neither has arrived.
    aside = rigid_matrix((2.0, -2.0, 2.0), (2.0, -2.0, 2.0), climber.center_mm)
    sides = [aside @ best[0], np.linalg.inv(aside) @ best[0]]
    if climber.affine or len(seen) < _FEW_CUBES:
        runs = [climber.final(pair.levels, side, i) for i, side in enumerate(sides)]
        matrix = max(runs, key=lambda end: end[1])[0]
        first, second = (end[0] for end in runs)
    else:  # each sees its own half of the cubes
        first, second = (refine(seen[i::2], pair.field, side) for i, side in enumerate(sides))
        matrix = refine(seen, pair.field, max(first, second, key=lambda end: agreement(seen, pair.field, end)))
    spread_mm = float(distance_mm(first, second, _through(matrix, pair.points_mm)).max())
    found = agreement(seen, pair.field, matrix)
    contrast = _contrast(climber, seen, pair.field, matrix)
    return matrix, RegistrationQuality(found, contrast, spread_mm, *_overlap(middle, pair.heads, matrix))


def _through(matrix_ras: np.ndarray, fixed_points_mm: np.ndarray) -> np.ndarray:
    """Points of the moving scan that a transform takes to the given points of the fixed one."""
    return move_points(np.linalg.inv(matrix_ras), fixed_points_mm)


def _starts(fixed_center_mm: np.ndarray, moving_center_mm: np.ndarray) -> list[np.ndarray]:
    """Where the header puts the scan, and with its head's center on the other's."""
    onto = np.eye(4)
    onto[:3, 3] = fixed_center_mm - moving_center_mm
    return [np.eye(4), onto]


def _any_orientation(fixed_center_mm: np.ndarray, moving_center_mm: np.ndarray) -> list[np.ndarray]:
    """Centers on each other and the head turned every way by steps of 45 degrees or so: when the header is wrong."""
    from scipy.spatial.transform import Rotation

    onto = np.eye(4)
    onto[:3, 3] = fixed_center_mm - moving_center_mm
    eighths = Rotation.from_rotvec(45.0 * np.concatenate([np.eye(3), -np.eye(3)]), degrees=True)
    turns = [*Rotation.create_group("O"), *eighths]
    return [rigid_matrix(tuple(turn.as_rotvec(degrees=True)), (0, 0, 0), fixed_center_mm) @ onto for turn in turns]


def _contrast(climber: Climber, seen: Cubes, moving: Field, matrix: np.ndarray) -> float:
    """Standard deviations between the agreement at the result and at places 15 to 40 mm and degrees off."""
    rng = np.random.default_rng(climber.seed)
    some = seen[:300]
    wrong = []
    for _ in range(16):
        turn, shift = (direction / np.linalg.norm(direction) for direction in rng.normal(size=(2, 3)))
        off = rigid_matrix(tuple(turn * rng.uniform(15, 40)), tuple(shift * rng.uniform(15, 40)), climber.center_mm)
        wrong.append(agreement(some, moving, off @ matrix))
    return float((agreement(some, moving, matrix) - np.mean(wrong)) / (np.std(wrong) + 1e-6))


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
