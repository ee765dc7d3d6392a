"""Real cases at the resolution of the network: four normalized channels and three nested regions, cached on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.volume_files import read_volume

CHANNELS = ("T1", "T1CE", "T2", "FLAIR")
REGIONS = ("TC", "WT", "ET")
SPACING_MM = 2.0
# The part of the 2 mm atlas grid that holds every head: all arrays here are cut to it, so tumors fit all brains.
_WINDOW = (slice(22, 98), slice(10, 110), slice(0, 77))
# File name endings per channel and of the labels: BraTS 2021, BraTS 2023 and the TCGA cases with fused labels.
_LAYOUTS = (
    ("*_t1.nii.gz", "*_t1ce.nii.gz", "*_t2.nii.gz", "*_flair.nii.gz", "*_seg.nii.gz"),
    ("t1n.nii.gz", "t1c.nii.gz", "t2w.nii.gz", "t2f.nii.gz", "segmentation.nii.gz"),
    ("*_t1_bet.nii.gz", "*_t1c_bet.nii.gz", "*_t2_bet.nii.gz", "*_fla_bet.nii.gz", "fusion_simple.nii.gz"),
)


@dataclass(frozen=True, eq=False)
class Case:
    """A head at 2 mm.

    Args:
        name: folder name.
        channels: (4, ni, nj, nk) float32 T1, T1CE, T2, FLAIR; zero outside the brain, mean 0 and sd 1 inside.
        brain: (ni, nj, nk) Boolean.
        regions: (3, ni, nj, nk) float32 fraction of the voxel in tumor core, whole tumor and enhancing tumor.
        expert: True where people drew the labels, False where algorithms did.
    """

    name: str
    channels: np.ndarray
    brain: np.ndarray
    regions: np.ndarray
    expert: bool = True


def read_cases(folder: Path, cache: Path) -> list[Case]:
    """Every case below ``folder``: one folder each, four channels and labels in any of the known file layouts."""
    cache.mkdir(parents=True, exist_ok=True)
    return [_cached(path, cache) for path in sorted(folder.iterdir()) if path.is_dir()]


def normalize(channel: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Clip at the percentiles 0.5 and 99.5 of the brain, then mean 0 and sd 1; zero outside the brain."""
    inside = channel[brain]
    low, high = np.percentile(inside, [0.5, 99.5])
    clipped = np.clip(channel, low, high)
    inside = clipped[brain]
    return np.where(brain, (clipped - inside.mean()) / max(inside.std(), 1e-6), 0.0).astype(np.float32)


def halve(array: np.ndarray) -> np.ndarray:
    """(..., 240, 240, 155) at 1 mm, turned to RAS, to means of 2 x 2 x 2 voxels within the window of all heads."""
    ni, nj, nk = (size // 2 for size in array.shape[-3:])
    whole = array[..., : 2 * ni, : 2 * nj, : 2 * nk]
    return whole.reshape(*array.shape[:-3], ni, 2, nj, 2, nk, 2).mean(axis=(-5, -3, -1))[(..., *_WINDOW)]


def _cached(path: Path, cache: Path) -> Case:
    file = cache / f"{path.name}.npz"
    if not file.exists():
        case = _read(path)
        np.savez_compressed(file, channels=case.channels.astype(np.float16), brain=case.brain, regions=case.regions)
    with np.load(file) as data:
        channels, regions = data["channels"].astype(np.float32), data["regions"].astype(np.float32)
        return Case(path.name, channels, data["brain"], regions, expert=bool(list(path.glob(_LAYOUTS[0][-1]))))


def _read(path: Path) -> Case:
    files = _files(path)
    scans = np.stack([ras_array(file) for file in files[:4]])
    labels = ras_array(files[4])
    brain = halve((scans != 0).any(axis=0).astype(np.float32)) > 0.5
    channels = np.stack([normalize(channel, brain) for channel in halve(scans)])
    enhancing = np.isin(labels, (3, 4))
    core = enhancing | (labels == 1)
    regions = halve(np.stack([core, core | (labels == 2), enhancing]).astype(np.float32))
    return Case(path.name, channels, brain, regions)


def _files(path: Path) -> list[Path]:
    for layout in _LAYOUTS:
        found = [next(iter(sorted(path.glob(pattern))), None) for pattern in layout]
        if all(found):
            return [file for file in found if file is not None]
    raise TumorTwinError(f"{path} has not the four channels and labels of a BraTS case: remove it or complete it.")


def ras_array(path: Path) -> np.ndarray:
    """(ni, nj, nk) float32 with axes turned to right, anterior, superior; BraTS files are axis-aligned."""
    image = read_volume(path)
    axes = image.grid.ijk_to_ras[:3, :3]
    order = [int(np.abs(axes[row]).argmax()) for row in range(3)]
    array = image.array.squeeze().transpose(order)
    flips = tuple(slice(None, None, -1 if axes[row, order[row]] < 0 else 1) for row in range(3))
    return np.ascontiguousarray(array[flips], dtype=np.float32)
