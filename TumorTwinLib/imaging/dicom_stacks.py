"""From the planes of one DICOM series to stacks: each fills a box once and can become a volume.

One series may hold several contrasts (b-values, echoes, image types), several orientations (localizers), many time
points (DCE) and copies of files. They are told apart here by what the headers say, never by the order of files. A stack
whose slices do not lie evenly keeps the reason, and is refused when it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.imaging.dicom_headers import Plane

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAME_PLACE_MM = 0.01  # positions are written with three decimals or more
_SAME_DIRECTION = 5e-3  # scanners round direction cosines; 0.3 degrees is one orientation
_UNEVEN = 0.02  # fraction of the slice step; 0.1 mm of a 5 mm step is rounding in some exports
_SKEW_MM = 0.05  # in-plane shift a slice below which slices lie straight above each other

_CONTRASTS: tuple[tuple[str, Callable[[Plane], object]], ...] = (
    ("image type {}", lambda plane: "\\".join(plane.image_type[2:])),
    ("b={:g}", lambda plane: plane.b_value),
    ("TE={:g} ms", lambda plane: plane.echo_ms),
    ("TI={:g} ms", lambda plane: plane.inversion_ms),
)
_TIMES: tuple[Callable[[Plane], object], ...] = (
    lambda plane: plane.temporal,
    lambda plane: plane.trigger_ms,
    lambda plane: plane.acquisition,
)


@dataclass(frozen=True, eq=False)
class Stack:
    """Parallel planes in order along their normal.

    Args:
        planes: one a slice.
        grid: of the volume; sheared when the gantry was tilted; None when ``problem`` says why there is none.
        tilt_deg: of the gantry, 0 for a rectangular grid.
        problem: why it is no volume, as the end of a sentence; empty when it is one.
    """

    planes: tuple[Plane, ...]
    grid: Grid | None
    tilt_deg: float = 0.0
    problem: str = ""


@dataclass(frozen=True, eq=False)
class SeriesPart:
    """The stacks of one contrast in one orientation, in order of time.

    Args:
        stacks: one a time point.
        label: what tells the part from others of its series, such as ``"b=1000"``.
        problem: why it cannot be read, as the end of a sentence; empty when it can.
    """

    stacks: tuple[Stack, ...]
    label: str = ""
    problem: str = ""


def split_series(planes: Iterable[Plane]) -> tuple[list[SeriesPart], int]:
    """The parts of a series, and how many planes were copies of others and left out."""
    planes = list(planes)
    unique = list({(plane.instance, plane.frame): plane for plane in planes}.values())
    parts = []
    orientations = _by_geometry(unique)
    for number, group in enumerate(orientations, 1):
        where = f"orientation {number}" if len(orientations) > 1 else ""
        for label, members in _by_contrast(group):
            parts.append(_part(members, ", ".join(filter(None, (where, label)))))
    return parts, len(planes) - len(unique)


def _part(planes: Sequence[Plane], label: str) -> SeriesPart:
    times = _by_time(planes)
    if not times:
        counts = Counter(_places(planes))
        return SeriesPart(
            (Stack(tuple(planes), None),),
            label,
            f"holds up to {max(counts.values())} images at one place and {min(counts.values())} at others, and no tag "
            "tells them apart",
        )
    stacks = tuple(_stack(members) for members in times)
    problem = next(
        (
            f"{stack.problem} at time point {number} of {len(stacks)}" if len(stacks) > 1 else stack.problem
            for number, stack in enumerate(stacks, 1)
            if stack.problem
        ),
        "",
    )
    return SeriesPart(stacks, label, problem)


def _by_geometry(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes of one size, spacing and orientation together."""
    groups: list[list[Plane]] = []
    keys: list[tuple[tuple, np.ndarray]] = []
    for plane in planes:
        size = (plane.rows, plane.columns, *(round(s, 3) for s in plane.spacing_mm))
        direction = np.array(plane.orientation)
        for group, (other_size, other) in zip(groups, keys, strict=True):
            if size == other_size and np.abs(direction - other).max() < _SAME_DIRECTION:
                group.append(plane)
                break
        else:
            groups.append([plane])
            keys.append((size, direction))
    return groups


def _along_normal(planes: Sequence[Plane]) -> np.ndarray:
    """(n,) millimetres of each plane along the common normal."""
    direction = np.array(planes[0].orientation)
    return np.array([plane.position_mm for plane in planes]) @ np.cross(direction[:3], direction[3:])


def _places(planes: Sequence[Plane]) -> list[int]:
    """A number for each plane, the same for planes at one place."""
    along = _along_normal(planes)
    order = np.argsort(along, kind="stable")
    places = np.empty(len(planes), dtype=int)
    places[order] = np.concatenate([[0], np.cumsum(np.diff(along[order]) > _SAME_PLACE_MM)])
    return places.tolist()


def _groups(planes: Sequence[Plane], key: Callable[[Plane], object]) -> dict[object, list[Plane]] | None:
    """Planes by the value of ``key``, when each value has planes at half of all places or more; else None.

    A tag that changes from slice to slice, such as the time of an interleaved scan, tells no volumes apart.
    """
    groups: dict[object, list[Plane]] = {}
    for plane in planes:
        groups.setdefault(key(plane), []).append(plane)
    if len(groups) < 2:
        return None
    places = len(set(_places(planes)))
    fewest = min(len(set(_places(group))) for group in groups.values())
    return groups if 2 * fewest >= places else None


def _by_contrast(planes: list[Plane]) -> list[tuple[str, list[Plane]]]:
    if max(Counter(_places(planes)).values()) == 1:
        return [("", planes)]
    for text, key in _CONTRASTS:
        if groups := _groups(planes, key):
            return [
                (", ".join(filter(None, ("" if value in (None, "") else text.format(value), label))), members)
                for value, group in groups.items()
                for label, members in _by_contrast(group)
            ]
    return [("", planes)]


def _by_time(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes by time point; empty when they cannot be told apart."""
    if max(Counter(_places(planes)).values()) == 1:
        return [list(planes)]
    for key in _TIMES:
        groups = _groups(planes, key)
        if groups and all(max(Counter(_places(group)).values()) == 1 for group in groups.values()):
            return [groups[value] for value in sorted(groups, key=lambda value: (value is not None, value))]
    # The n-th image at each place, by time, is of the n-th time point, when there are as many at every place.
    repeats: dict[int, list[Plane]] = {}
    for place, plane in zip(_places(planes), planes, strict=True):
        repeats.setdefault(place, []).append(plane)
    if len({len(group) for group in repeats.values()}) > 1:
        return []
    ordered = [sorted(group, key=lambda p: (p.acquired or datetime.min, p.number)) for group in repeats.values()]
    return [list(members) for members in zip(*ordered, strict=True)]


def _stack(planes: Sequence[Plane]) -> Stack:
    """Planes in order with their grid, or with the reason why they have none."""
    along = _along_normal(planes)
    order = np.argsort(along)
    planes, along = tuple(planes[n] for n in order), along[order]
    if len(planes) < 2:
        return Stack(planes, None, problem="holds a single slice")
    gaps = np.diff(along)
    step = float(np.median(gaps))
    if np.abs(gaps - step).max() > max(_UNEVEN * step, _SAME_PLACE_MM):
        return Stack(planes, None, problem=_uneven(gaps))
    positions = np.array([plane.position_mm for plane in planes])
    advance = (positions[-1] - positions[0]) / (len(planes) - 1)
    off_line = np.abs(positions - positions[0] - np.outer(np.arange(len(planes)), advance)).max()
    if off_line > max(_UNEVEN * step, _SKEW_MM):
        return Stack(planes, None, problem=f"has slices up to {off_line:.2g} mm off the line through its stack")
    first = planes[0]
    direction = np.array(first.orientation)
    normal = np.cross(direction[:3], direction[3:])
    sideways = float(np.linalg.norm(advance - (advance @ normal) * normal))
    tilted = sideways > _SKEW_MM
    lps = np.eye(4)
    lps[:3, 0] = direction[:3] * first.spacing_mm[1]  # along a row the column index grows
    lps[:3, 1] = direction[3:] * first.spacing_mm[0]
    lps[:3, 2] = advance if tilted else (advance @ normal) * normal
    lps[:3, 3] = positions[0]
    grid = Grid((first.columns, first.rows, len(planes)), _LPS_TO_RAS @ lps)
    return Stack(planes, grid, tilt_deg=float(np.degrees(np.arctan2(sideways, step))) if tilted else 0.0)


def _uneven(gaps: np.ndarray) -> str:
    multiples = gaps / gaps.min()
    whole = np.round(multiples)
    if np.abs(multiples - whole).max() < 0.1:
        missing = int((whole - 1).sum())
        place = int(np.argmax(whole)) + 1
        slices = "1 slice is" if missing == 1 else f"{missing} slices are"
        return f"is incomplete: {slices} missing, the first gap lies after slice {place} of {len(gaps) + 1}"
    return f"has slices {gaps.min():.3g} to {gaps.max():.3g} mm apart"
