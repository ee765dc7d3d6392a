"""Dice of a network on whole cases: flips averaged, compared at the cases' 2 mm and, by callers, at full resolution."""

from __future__ import annotations

import numpy as np
import torch
from cases import REGIONS, Case

_MULTIPLE = 16  # the network halves its input four times
_LEAST_ENHANCING_ML = 0.5  # smaller enhancement is taken for noise, as BraTS entries do


def probabilities(network: torch.nn.Module, case: Case, flips: bool = True) -> np.ndarray:
    """(3, ni, nj, nk) probability of tumor core, whole tumor and enhancing tumor."""
    where = np.argwhere(case.brain)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    size = high - low
    padded = [(0, int(-n % _MULTIPLE)) for n in size]
    x = torch.from_numpy(np.pad(case.channels[(slice(None), *box)], [(0, 0), *padded]))[None]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = network(x).float()
        if flips:
            logits = (logits + network(x.flip(2)).float().flip(2)) / 2
    out = np.zeros((3, *case.brain.shape), dtype=np.float32)
    out[(slice(None), *box)] = torch.sigmoid(logits[0, :, : size[0], : size[1], : size[2]]).numpy()
    return out * case.brain


def dice_table(network: torch.nn.Module, cases: list[Case]) -> dict[str, dict[str, float]]:
    """Dice per case and region at 2 mm; a region absent from both counts as 1."""
    network.eval()
    table = {}
    for case in cases:
        predicted = probabilities(network, case) > 0.5
        if predicted[2].sum() * 0.008 < _LEAST_ENHANCING_ML:
            predicted[2] = False
        table[case.name] = {
            region: _dice(predicted[index], case.regions[index] > 0.5) for index, region in enumerate(REGIONS)
        }
    return table


def means(table: dict[str, dict[str, float]]) -> dict[str, float]:
    return {region: float(np.mean([row[region] for row in table.values()])) for region in REGIONS}


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    total = int(a.sum() + b.sum())
    return 1.0 if total == 0 else float(2 * (a & b).sum() / total)
