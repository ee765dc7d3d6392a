"""Treatment events at their own minute. Times are never rounded to days."""

from __future__ import annotations

from collections.abc import Iterable
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
    """One administration of one drug. ``unit`` is ``"mg"`` or ``"mg/m2"``; an infusion begins at ``time``."""

    time: datetime
    drug: str
    amount: float
    unit: str
    infusion_hours: float = 0.0


@dataclass(frozen=True)
class Surgery:
    """A resection of what lies in ``cavity``.

    Args:
        residual_fraction: of the cells in the cavity that stay behind. Without any the cavity leaves the domain: no
            cell grows or moves there any more.
    """

    time: datetime
    cavity: Image | None = None
    residual_fraction: float = 0.0


TreatmentEvent = RadiotherapyFraction | DrugDose | Surgery
_ORDER = (Surgery, RadiotherapyFraction, DrugDose)  # of what happens at the same minute


def in_order(events: Iterable[TreatmentEvent]) -> tuple[TreatmentEvent, ...]:
    """By time; at the same minute resection, then radiotherapy, then drugs in the order given."""
    return tuple(sorted(events, key=lambda event: (event.time, _ORDER.index(type(event)))))


def days_between(start: datetime, end: datetime) -> float:
    """Elapsed days with their fraction (14:00 is 0.5833 of a day)."""
    return (end - start).total_seconds() / 86400.0
