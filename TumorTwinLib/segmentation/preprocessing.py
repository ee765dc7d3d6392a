"""From a visit's images to the array a network takes: channels, axes, voxel size, intensities, and the box to compute.

Everything outside the foreground (the brain of skull-stripped MR, the body in CT) tells a network nothing, so only the
foreground's box is resampled and computed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image, bounding_box
from TumorTwinLib.segmentation.description import ModelDescription

_DIRECTION = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
_MARGIN_MM = 4.0  # of context kept around the foreground
_CLIP_PERCENTILES = (0.5, 99.5)
_LEAST_SPREAD = 1e-6  # a constant channel becomes zero instead of infinite
_SKULL_STRIPPED_ZEROS = 0.2  # a brain without its skull leaves a third to two thirds of the box empty


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What a network computes on.

    Args:
        channels: (channels, ni, nj, nk) float32 in the network's orientation and voxel size.
        foreground: (ni, nj, nk) Boolean; False where the input is empty.
        grid: of ``channels``.
        image_grid: of the images.
        box_grid: the part of ``image_grid`` that ``channels`` covers, with its first voxel at ``box_lower`` of it.
        box_foreground: on ``box_grid``, False where nothing can be: outside the brain, where the
            network knows brains alone.
        notices: sentences for the user.
    """

    channels: np.ndarray
    foreground: np.ndarray
    grid: Grid
    image_grid: Grid
    box_grid: Grid
    box_lower: tuple[int, ...]
    box_foreground: np.ndarray
    notices: tuple[str, ...] = ()


def prepare(
    images: Mapping[str, Image], description: ModelDescription, *, brain_mask: Image | None = None, divisor: int = 1
) -> NetworkInput:
    """The network's input from a visit's images.

    Args:
        images: by modality. The first of the description's modalities gives the grid; others are resampled onto it.
        brain_mask: for images that still have their skull; outside it they are empty.
        divisor: the array is padded to multiples of it.

    Raises:
        TumorTwinError: a modality is missing, or nothing but background is left.
    """
    missing = [name for name in description.modalities if name not in images]
    if missing:
        raise TumorTwinError(
            f"{description.title} needs {' and '.join(missing)}, which the visit lacks (it has "
            f"{', '.join(images) or 'no images'}): add the scan, or choose a model that works without it."
        )
    notices = []
    first = images[description.modalities[0]]
    scans = []
    for name in description.modalities:
        if not images[name].grid.same_as(first.grid):
            notices.append(f"{images[name].name} lies on another grid and was resampled onto that of {first.name}.")
        scans.append(images[name].resample(first.grid).array)
    occupied = _occupied(scans, description)
    if brain_mask is not None:
        occupied &= brain_mask.resample(first.grid, order=0).array > 0
    elif description.needs_brain_mask and occupied.mean() > 1 - _SKULL_STRIPPED_ZEROS:
        notices.append(
            f"{first.name} seems to have its skull, but {description.title} knows brains without: give a brain mask."
        )
    if not occupied.any():
        raise TumorTwinError(f"{first.name} has no voxel that is not background: check the image and the brain mask.")

    axes, flips = _axes_towards(first.grid, description.orientation)
    turned = _turned_grid(first.grid, axes, flips)
    lower, upper = _box(occupied.transpose(axes)[flips], turned, description.spacing_mm)
    cut = tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))
    box = turned.crop(lower, upper)
    grid = box if description.spacing_mm is None else box.with_spacing(description.spacing_mm)
    inside = occupied.transpose(axes)[flips][cut]
    foreground = _on_grid(inside.astype(np.float32), box, grid) > 0.5
    channels = np.stack(
        [_on_grid(np.where(inside, scan.transpose(axes)[flips][cut], _empty(description)), box, grid) for scan in scans]
    )
    channels, fill = _normalized(channels, foreground, description)
    box_grid, box_lower, in_box = _box_of_images(first.grid, box)
    whole = np.ones(box_grid.shape, dtype=bool)
    return NetworkInput(
        *_padded(channels, foreground, grid, divisor, fill),
        image_grid=first.grid,
        box_grid=box_grid,
        box_lower=box_lower,
        box_foreground=occupied[in_box] if description.needs_brain_mask else whole,
        notices=tuple(notices),
    )


def _occupied(scans: list[np.ndarray], description: ModelDescription) -> np.ndarray:
    """Voxels that hold anything: not zero in MR, above the window's lower end in CT."""
    if "lower_hu" in description.normalization_arguments:
        empty = description.normalization_arguments["lower_hu"]
        return np.logical_or.reduce([scan > empty for scan in scans])
    if description.normalization == "zscore":  # its statistics are those of all voxels
        return np.ones(scans[0].shape, dtype=bool)
    return np.logical_or.reduce([scan != 0 for scan in scans])


def _empty(description: ModelDescription) -> float:
    return description.normalization_arguments.get("lower_hu", 0.0)


def _axes_towards(grid: Grid, orientation: str) -> tuple[tuple[int, ...], tuple[slice, ...]]:
    """Which image axis, and in which sense, comes closest to each of the network's; each image axis is used once."""
    cosines = grid.ijk_to_ras[:3, :3] / np.array(grid.spacing_mm)
    wanted = [_DIRECTION[letter] for letter in orientation]
    axes = max(
        itertools.permutations(range(3)),
        key=lambda order: sum(abs(cosines[row, axis]) for (row, _), axis in zip(wanted, order, strict=True)),
    )
    flips = tuple(
        slice(None, None, -1 if sign * cosines[row, axis] < 0 else 1)
        for (row, sign), axis in zip(wanted, axes, strict=True)
    )
    return axes, flips


def _turned_grid(grid: Grid, axes: tuple[int, ...], flips: tuple[slice, ...]) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = grid.ijk_to_ras[:3, list(axes)]
    affine[:3, 3] = grid.ijk_to_ras[:3, 3]
    shape = [grid.shape[axis] for axis in axes]
    for axis, flip in enumerate(flips):
        if flip.step == -1:
            affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
            affine[:3, axis] *= -1
    return Grid(tuple(shape), affine)


def _box(
    occupied: np.ndarray, grid: Grid, spacing_mm: tuple[float, float, float] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The foreground's box with a margin, whole network voxels long so that averaging meets their faces."""
    margin = tuple(int(np.ceil(_MARGIN_MM / step)) for step in grid.spacing_mm)
    lower, upper = map(list, bounding_box(occupied, (margin[0], margin[1], margin[2])))
    for axis, (wanted, step) in enumerate(zip(spacing_mm or grid.spacing_mm, grid.spacing_mm, strict=True)):
        excess = -(upper[axis] - lower[axis]) % max(1, round(wanted / step))
        room_above = min(excess, occupied.shape[axis] - upper[axis])
        upper[axis] += room_above
        lower[axis] -= min(excess - room_above, lower[axis])
    return tuple(lower), tuple(upper)


def _on_grid(array: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    """Float32 values on ``target``: means of whole voxels where they fit, else as ``Image.resample``."""
    if source.same_as(target):
        return array.astype(np.float32)
    ratios = [n // m for n, m in zip(source.shape, target.shape, strict=True)]
    fits = all(n == m * ratio for n, m, ratio in zip(source.shape, target.shape, ratios, strict=True))
    if fits and np.allclose(np.array(source.spacing_mm) * ratios, target.spacing_mm, rtol=1e-3):
        split = [size for n, ratio in zip(target.shape, ratios, strict=True) for size in (n, ratio)]
        return array.reshape(split).mean(axis=(1, 3, 5), dtype=np.float32)
    return Image(array.astype(np.float32), source).resample(target, fill=float(array.min())).array


def _normalized(
    channels: np.ndarray, foreground: np.ndarray, description: ModelDescription
) -> tuple[np.ndarray, list[float]]:
    """Channels as ``description.NORMALIZATIONS`` says, and each channel's value where there is nothing."""
    kind, arguments = description.normalization, description.normalization_arguments
    normalized = np.empty(channels.shape, np.float32)
    fill = []
    for number, channel in enumerate(channels):
        if kind in ("ct_window", "ct_zscore"):
            low, high = arguments["lower_hu"], arguments["upper_hu"]
            mean, spread = (low, high - low) if kind == "ct_window" else (arguments["mean_hu"], arguments["sd_hu"])
            normalized[number] = (np.clip(channel, low, high) - mean) / spread
            fill.append((low - mean) / spread)
            continue
        if kind == "minmax":
            low, width = float(channel.min()), max(float(np.ptp(channel)), _LEAST_SPREAD)
            normalized[number] = (channel - low) / width
            fill.append(max(0.0, (0.0 - low) / width))
            continue
        inside = foreground if kind in ("zscore_brain", "zscore") else foreground & (channel != 0)
        clipped = (
            np.clip(channel, *np.percentile(channel[inside], _CLIP_PERCENTILES)) if kind == "zscore_brain" else channel
        )
        values = clipped[inside] if inside.any() else np.zeros(1, np.float32)
        scaled = np.where(inside, (clipped - values.mean()) / max(float(values.std()), _LEAST_SPREAD), 0.0)
        empty = 0.0
        if kind == "zscore_nonzero_to_unit":
            low, width = float(scaled.min()), max(float(np.ptp(scaled)), _LEAST_SPREAD)
            scaled, empty = 2 * (scaled - low) / width - 1, 2 * (0.0 - low) / width - 1
        normalized[number] = scaled
        fill.append(empty if kind != "zscore" else float(scaled.min()))
    return normalized, fill


def _padded(
    channels: np.ndarray, foreground: np.ndarray, grid: Grid, divisor: int, fill: list[float]
) -> tuple[np.ndarray, np.ndarray, Grid]:
    excess = [-n % divisor for n in grid.shape]
    before = [n // 2 for n in excess]
    margins = [(low, n - low) for low, n in zip(before, excess, strict=True)]
    upper = tuple(size + after for size, (_, after) in zip(grid.shape, margins, strict=True))
    padded = np.stack(
        [np.pad(channel, margins, constant_values=value) for channel, value in zip(channels, fill, strict=True)]
    )
    return padded, np.pad(foreground, margins), grid.crop(tuple(-low for low in before), upper)


def _box_of_images(image_grid: Grid, box: Grid) -> tuple[Grid, tuple[int, ...], tuple[slice, ...]]:
    """The turned box as a sub-grid of the images: grid, first voxel, and its place in their arrays."""
    corners = np.array([[0, 0, 0], np.array(box.shape) - 1])
    to_image = np.linalg.inv(image_grid.ijk_to_ras)
    ijk = np.rint(box.ras_mm(corners) @ to_image[:3, :3].T + to_image[:3, 3]).astype(int)
    lower, upper = tuple(int(n) for n in ijk.min(axis=0)), tuple(int(n) + 1 for n in ijk.max(axis=0))
    return image_grid.crop(lower, upper), lower, tuple(slice(*ends) for ends in zip(lower, upper, strict=True))
