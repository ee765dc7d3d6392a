"""From the first cell to the last forecast day: the tumour's density at every visit and beyond.

This is the truth that only tests read. The scans are made from it and from nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from generator.growth import Biology, Tumour
from generator.head import Head, brain_mean
from generator.random_fields import SEED
from generator.therapy import Event, stupp_protocol

VISITS = (
    datetime(2024, 3, 4, 9, 30),  # diagnosis, two weeks before radiotherapy
    datetime(2024, 4, 8, 7, 45),  # mid-course, after 15 fractions
    datetime(2024, 7, 8, 9, 0),  # ten weeks after radiotherapy
    datetime(2024, 9, 3, 10, 15),  # four months after radiotherapy
)
FORECAST_DAYS = (30, 60, 90, 120, 150, 180)  # after the last visit
PER_MILLE = 1000  # densities are kept to a thousandth of the carrying capacity
HIDDEN_GROWTH_STEP_DAYS = 2.0
LONGEST_HIDDEN_GROWTH_DAYS = 1000.0


@dataclass(frozen=True, eq=False)
class History:
    """The truth on the grid of the scans.

    Args:
        days: (n,) days since the first visit: the visits, then ``FORECAST_DAYS`` after the last one.
        density: (n, ni, nj, nk) uint16, cellularity in thousandths of the carrying capacity.
        affine: (4, 4), voxel index to RAS millimetres.
        hidden_growth_days: from the seed to the first visit.
        biology: the true parameters.
    """

    days: np.ndarray
    density: np.ndarray
    affine: np.ndarray
    hidden_growth_days: float
    biology: Biology

    def cellularity(self, index: int) -> np.ndarray:
        """(ni, nj, nk) fraction of the carrying capacity at ``days[index]``."""
        return self.density[index] / PER_MILLE

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / "density.npz", days=self.days, density=self.density, affine=self.affine)
        about = {
            "what": "Truth of Resources/SampleData/glioblastoma, a virtual patient. Only tests may read it.",
            "seed": SEED,
            "hidden_growth_days": self.hidden_growth_days,
            "parameters": dataclasses.asdict(self.biology),
        }
        (folder / "parameters.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> History:
        about = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
        parameters = about["parameters"] | {"seed_ras_mm": tuple(about["parameters"]["seed_ras_mm"])}
        with np.load(folder / "density.npz") as arrays:
            return cls(
                arrays["days"], arrays["density"], arrays["affine"], about["hidden_growth_days"], Biology(**parameters)
            )


def day_of(time: datetime) -> float:
    return (time - VISITS[0]).total_seconds() / 86400


def grow(head: Head, scan_affine: np.ndarray, biology: Biology) -> History:
    """Seed the tumour, let it grow unseen to its size at diagnosis, then treat it as the protocol says."""
    tumour = Tumour(head, biology)
    target_voxels = biology.core_volume_at_diagnosis_ml * 1000
    hidden_days = 0.0
    while np.count_nonzero(tumour.cellularity > biology.core_threshold) < target_voxels:
        hidden_days += HIDDEN_GROWTH_STEP_DAYS
        if hidden_days > LONGEST_HIDDEN_GROWTH_DAYS:
            raise RuntimeError("The tumour does not reach its size at diagnosis: move its seed into white matter.")
        tumour.grow_until(hidden_days)
    tumour.day = 0.0

    visit_days = [day_of(time) for time in VISITS]
    output_days = [*visit_days, *(visit_days[-1] + day for day in FORECAST_DAYS)]
    moments: list[tuple[float, Event | None]] = [(day_of(event.time), event) for event in stupp_protocol()]
    moments += [(day, None) for day in output_days]
    densities, doses = [], []
    for day, event in sorted(moments, key=lambda moment: moment[0]):
        tumour.grow_until(day, doses)
        if event is None:
            densities.append(np.round(PER_MILLE * brain_mean(tumour.cellularity, head.brain)).astype(np.uint16))
        elif event.kind == "radiotherapy":
            tumour.irradiate(event.amount)
        else:
            doses.append((day, event.amount))
    return History(np.array(output_days), np.array(densities), scan_affine, hidden_days, biology)
