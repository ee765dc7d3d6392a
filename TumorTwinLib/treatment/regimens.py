"""Standard courses of treatment, by name. A new regimen adds its line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from TumorTwinLib.treatment.events import TreatmentEvent


@dataclass(frozen=True)
class Regimen:
    """A course of treatment.

    Args:
        title: what the panel calls it.
        description: doses and days, in one sentence.
        events: the treatments of a course that begins at the given time.
    """

    title: str
    description: str
    events: Callable[[datetime], Sequence[TreatmentEvent]]


REGIMENS: dict[str, Regimen] = {}
