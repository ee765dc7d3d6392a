"""What one regimen does: numbers a draw, and the bands and tables made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from TumorTwinLib.recommend.futures import Future
from TumorTwinLib.recommend.plans import Plan
from TumorTwinLib.recommend.progression import ProgressionRule, days_gained, time_to_progression
from TumorTwinLib.treatment.toxicity import Toxicity

WORST_SHARE = 0.1  # of draws that the conditional value at risk is the mean of
_LEVEL = 0.95
# Unit and name in tables of the numbers that every draw has.
MEASURES: Mapping[str, tuple[str, str]] = {
    "time_to_progression_days": ("day", "time to progression, at most the horizon"),
    "days_gained": ("day", "days gained over no treatment"),
    "log10_kill": ("log10", "cells without over cells with treatment, where most"),
    "nadir_mm3": ("mm3", "smallest volume"),
    "nadir_day": ("day", "day of the smallest volume, from the decision"),
    "final_mm3": ("mm3", "volume at the horizon"),
}


@dataclass(frozen=True)
class Estimate:
    """Mean, median and central 95 % over draws."""

    mean: float
    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: np.ndarray) -> Estimate:
        tail = 0.5 * (1.0 - _LEVEL)
        low, median, up = np.quantile(values, [tail, 0.5, 1.0 - tail])
        return cls(float(np.mean(values)), float(median), float(low), float(up))


@dataclass(frozen=True, eq=False)
class Band:
    """Median and central 95 % of a volume (mm3) on every day, (n,) each."""

    median: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class Effect:
    """A parameter on which a regimen's effect rests.

    Args:
        sd_ratio: posterior over prior standard deviation; infinite for one that was not calibrated.
        informed: whether the data say something of it.
    """

    parameter: str
    sd_ratio: float
    informed: bool


@dataclass(frozen=True, eq=False)
class RegimenOutcome:
    """A regimen in every draw.

    Args:
        draws: by the names of ``MEASURES``, (m,); the same draw has the same place under every regimen.
        progressed: (m,) whether progression came before the horizon.
        tumor_control_probability: mean over draws of ``exp(-fewest living cells)``.
        days: (n,) from the decision; volume: by region, its band.
        toxicity: proxies of the whole course, also of what lies beyond the horizon.
        effects: none for no treatment or a resection alone.
    """

    name: str
    title: str
    description: str
    source: str
    exploratory: bool
    note: str
    draws: Mapping[str, np.ndarray]
    progressed: np.ndarray
    tumor_control_probability: float
    days: np.ndarray
    volume: Mapping[str, Band]
    toxicity: Toxicity
    effects: tuple[Effect, ...]

    @property
    def prior_only(self) -> tuple[str, ...]:
        """Parameters of its effect of which the data say nothing: the outcome rests on their prior."""
        return tuple(effect.parameter for effect in self.effects if not effect.informed)

    def estimate(self, measure: str) -> Estimate:
        return Estimate.of(self.draws[measure])

    @property
    def value_at_risk_days(self) -> float:
        """CVaR: mean time to progression of the worst tenth of draws."""
        return conditional_value_at_risk(self.draws["time_to_progression_days"])

    def to_dict(self) -> dict[str, Any]:
        return {
            **{key: getattr(self, key) for key in ("name", "title", "description", "source", "exploratory", "note")},
            "draws": {key: values.tolist() for key, values in self.draws.items()},
            "progressed": self.progressed.tolist(),
            "tumor_control_probability": self.tumor_control_probability,
            "days": self.days.tolist(),
            "volume": {
                region: {key: values.tolist() for key, values in vars(band).items()}
                for region, band in self.volume.items()
            },
            "toxicity": asdict(self.toxicity),
            # JSON knows no infinity
            "effects": [{**asdict(e), "sd_ratio": e.sd_ratio if math.isfinite(e.sd_ratio) else None}
                        for e in self.effects],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RegimenOutcome:
        return cls(
            **{key: data[key] for key in ("name", "title", "description", "source", "exploratory", "note")},
            draws={key: np.array(values, dtype=float) for key, values in data["draws"].items()},
            progressed=np.array(data["progressed"], dtype=bool),
            tumor_control_probability=data["tumor_control_probability"],
            days=np.array(data["days"]),
            volume={
                region: Band(**{key: np.array(values) for key, values in band.items()})
                for region, band in data["volume"].items()
            },
            toxicity=Toxicity(**data["toxicity"]),
            effects=tuple(
                Effect(e["parameter"], math.inf if e["sd_ratio"] is None else e["sd_ratio"], e["informed"])
                for e in data["effects"]
            ),
        )


def conditional_value_at_risk(values: np.ndarray, share: float = WORST_SHARE) -> float:
    """Mean of the smallest ``share`` of equally probable values, at least one (Rockafellar & Uryasev 2000)."""
    count = max(1, math.ceil(share * len(values) - 1e-9))
    return float(np.sort(values)[:count].mean())


def outcome_of(
    plan: Plan,
    future: Future,
    untreated: Future,
    days: np.ndarray,
    rule: ProgressionRule,
    region: str,
    toxicity: Toxicity,
    effects: tuple[Effect, ...],
) -> RegimenOutcome:
    """The numbers of one plan.

    Args:
        days: (n,) from the decision; the first is zero.
    """
    horizon = days[-1]
    progression = time_to_progression(days, future.size, rule)
    volume = future.volume_mm3[region]
    alone, treated = (np.maximum(f.living_cells, 1.0) for f in (untreated, future))
    draws = {
        "time_to_progression_days": np.minimum(progression, horizon),
        "days_gained": days_gained(days, volume, untreated.volume_mm3[region]),
        "log10_kill": np.log10(alone / treated).max(axis=1),
        "nadir_mm3": volume.min(axis=1),
        "nadir_day": days[volume.argmin(axis=1)],
        "final_mm3": volume[:, -1],
    }
    return RegimenOutcome(
        plan.name, plan.title, plan.description, plan.source, plan.exploratory, plan.note, draws,
        progression <= horizon, float(np.exp(-future.living_cells.min(axis=1)).mean()), days,
        {name: _band(v) for name, v in future.volume_mm3.items()}, toxicity, effects,
    )  # fmt: skip


def _band(volume: np.ndarray) -> Band:
    tail = 0.5 * (1.0 - _LEVEL)
    low, median, up = np.quantile(volume, [tail, 0.5, 1.0 - tail], axis=0)
    return Band(median, low, up)
