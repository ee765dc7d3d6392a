"""Dose-volume histograms as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError


@dataclass(frozen=True, eq=False)
class DoseVolumeHistogram:
    """Cumulative: the share of a structure that gets at least each dose.

    Args:
        structure: its name.
        dose_gy: (n,) from zero to the maximum; volume_percent: (n,) from 100 down.
        mean_gy, max_gy: of the structure.
    """

    structure: str
    dose_gy: np.ndarray
    volume_percent: np.ndarray
    mean_gy: float
    max_gy: float

    @classmethod
    def of(cls, structure: str, dose_gy: np.ndarray, mask: np.ndarray, points: int = 101) -> DoseVolumeHistogram:
        """Of a dose and a Boolean mask of the same shape.

        Raises:
            TumorTwinError: an empty structure.
        """
        inside = np.sort(dose_gy[mask].astype(float))
        if inside.size == 0:
            raise TumorTwinError(f"The structure {structure} has no voxel on the dose's grid: check its mask.")
        levels = np.linspace(0.0, inside[-1], points)
        at_least = inside.size - np.searchsorted(inside, levels, side="left")
        return cls(structure, levels, 100.0 * at_least / inside.size, float(inside.mean()), float(inside[-1]))

    def dose_to(self, volume_percent: float) -> float:
        """D_x: the least dose (Gy) that the best-covered ``volume_percent`` of the structure get, as D95 or D2."""
        return float(np.interp(-volume_percent, -self.volume_percent, self.dose_gy))

    def volume_above(self, dose_gy: float) -> float:
        """V_x: percent of the structure with at least this dose."""
        return float(np.interp(dose_gy, self.dose_gy, self.volume_percent, right=0.0))

    def to_dict(self) -> dict[str, Any]:
        return {key: v.tolist() if isinstance(v, np.ndarray) else v for key, v in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DoseVolumeHistogram:
        arrays = {key: np.array(data[key]) for key in ("dose_gy", "volume_percent")}
        return cls(**{**data, **arrays})
