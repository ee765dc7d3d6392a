"""Treatment events at their own minute. Times are never rounded to days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from TumorTwinLib.geometry import Image


@dataclass(frozen=True)
class RadiotherapyFraction:
    """One fraction: the prescribed dose in Gy, or a voxel dose where a dose volume (Gy) is given."""

    time: datetime
    dose_gy: float
    dose_map: Image | None = None


@dataclass(frozen=True)
class DrugDose:
    """One administration of one drug. ``unit`` is ``"mg"`` or ``"mg/m2"``."""

    time: datetime
    drug: str
    amount: float
    unit: str


@dataclass(frozen=True)
class Surgery:
    """A resection. ``cavity`` is the mask that leaves the domain; ``residual_fraction`` stays behind in it."""

    time: datetime
    cavity: Image | None = None
    residual_fraction: float = 0.0


TreatmentEvent = RadiotherapyFraction | DrugDose | Surgery


def days_between(start: datetime, end: datetime) -> float:
    """Elapsed days with their fraction (14:00 is 0.5833 of a day)."""
    return (end - start).total_seconds() / 86400.0
