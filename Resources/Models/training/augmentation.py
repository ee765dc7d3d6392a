"""Random patches: one affine and elastic resampling, then the differences between scanners, channel by channel."""

from __future__ import annotations

import numpy as np
import torch
from cases import Case
from torch.nn import functional

PATCH = (48, 64, 48)  # 96 x 128 x 96 mm: half a brain, so that two cores take thousands of steps in an hour


def random_patch(case: Case, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(4, *PATCH) channels and (3, *PATCH) regions (fractions) at a random pose, mostly near the tumor."""
    grid = _sampling_grid(case, rng)
    source = torch.from_numpy(np.concatenate([case.channels, case.regions, case.brain[None]]).astype(np.float32))
    patch = functional.grid_sample(source[None], grid, mode="bilinear", padding_mode="zeros", align_corners=True)[0]
    brain = patch[7] > 0.5
    return scanner_differences(patch[:4], brain, rng), patch[4:7]


def scanner_differences(channels: torch.Tensor, brain: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Contrast, bias field, blur and noise of another scanner, drawn per channel; zero outside the brain."""
    out = []
    for channel in channels:
        changed = channel
        if rng.random() < 0.5:  # gamma on the channel's range, which bends contrasts without reordering tissues
            low, high = changed[brain].min(), changed[brain].max()
            unit = ((changed - low) / (high - low + 1e-6)).clamp(0, 1)
            changed = unit ** float(np.exp(rng.normal(0, 0.25))) * (high - low) + low
        if rng.random() < 0.4:
            coarse = torch.from_numpy(rng.normal(0, 0.25, (1, 1, 4, 4, 4)).astype(np.float32))
            field = functional.interpolate(coarse, size=channel.shape, mode="trilinear", align_corners=True)[0, 0]
            changed = (changed + 3) * torch.exp(field * 0.5) - 3
        if rng.random() < 0.25:  # thick slices: the resolution of one axis lost
            axis = int(rng.integers(3))
            size = list(channel.shape)
            size[axis] = int(size[axis] / rng.uniform(1.5, 3.0))
            coarse = functional.interpolate(changed[None, None], size=size, mode="trilinear", align_corners=True)
            changed = functional.interpolate(coarse, size=channel.shape, mode="trilinear", align_corners=True)[0, 0]
        noise = torch.from_numpy(rng.standard_normal(channel.shape, dtype=np.float32))
        changed = changed * rng.normal(1, 0.12) + rng.normal(0, 0.12) + abs(rng.normal(0, 0.1)) * noise
        out.append(changed)
    return torch.stack(out).float() * brain


def _sampling_grid(case: Case, rng: np.random.Generator) -> torch.Tensor:
    """(1, *PATCH, 3) positions in the case in grid_sample's units (last axis first, -1 to 1)."""
    shape = np.array(case.brain.shape)
    matrix = _rotation(rng.normal(0, 0.15, 3)) * rng.uniform(0.85, 1.2) * rng.uniform(0.93, 1.07, 3)
    if rng.random() < 0.5:
        matrix[0] = -matrix[0]
    axes = [np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in PATCH]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) @ matrix.T.astype(np.float32)
    if rng.random() < 0.5:
        coarse = torch.from_numpy(rng.normal(0, 1.5, (1, 3, 5, 6, 5)).astype(np.float32))
        bend = functional.interpolate(coarse, size=PATCH, mode="trilinear", align_corners=True)[0]
        offsets = offsets + bend.permute(1, 2, 3, 0).numpy()
    position = offsets + _centre(case, rng)
    unit = 2 * position / (shape - 1) - 1
    return torch.from_numpy(np.ascontiguousarray(unit[..., ::-1], dtype=np.float32))[None]


def _centre(case: Case, rng: np.random.Generator) -> np.ndarray:
    mask = case.brain
    if rng.random() < 2 / 3 and (case.regions[1] > 0.5).any():
        mask = case.regions[1] > 0.5
    voxels = np.flatnonzero(mask)
    place = np.array(np.unravel_index(voxels[rng.integers(len(voxels))], mask.shape), dtype=float)
    middle = np.argwhere(case.brain).mean(axis=0)
    # Halfway between the place and the middle of the brain: the patch is nearly a brain, and should hold much of it.
    return middle + rng.uniform(0.2, 0.8) * (place - middle)


def _rotation(angles: np.ndarray) -> np.ndarray:
    a, b, c = angles
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
