"""Androgen deprivation: what injections do to the androgen level, and that to how fast a prostate tumor grows.

    dA/dt = rate (target - A),   target = castrate level during suppression, 1 otherwise

A is relative to the level before treatment. Level and its integral are closed forms of the time since the last change.
Growth follows ``rho(A) = rho (f + (1 - f) A)`` with f what is left without androgen, so its integral over any time is
exact as well. A depot suppresses for as long as its dose lasts: 22.5 mg of leuprolide is three months, 45 mg is six.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.events import DrugDose

LEUPROLIDE_MG_PER_DAY = 22.5 / 91  # released from every depot form (7.5 mg a month to 45 mg in six): labels


def suppressed_intervals(doses: Iterable[tuple[float, DrugDose]]) -> tuple[tuple[float, float], ...]:
    """(start, end) in days of each stretch under suppression; depots that overlap or meet make one.

    Args:
        doses: (day, dose) of leuprolide in mg; doses of other drugs are passed over.

    Raises:
        TumorTwinError: leuprolide in mg/m2.
    """
    stretches = []
    for day, dose in doses:
        if dose.drug != "leuprolide":
            continue
        if dose.unit != "mg":
            raise TumorTwinError(f"The leuprolide of {dose.time:%Y-%m-%d} is in {dose.unit}: give the depot in mg.")
        stretches.append((day, day + dose.amount / LEUPROLIDE_MG_PER_DAY))
    merged: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


@dataclass(frozen=True)
class AndrogenLevel:
    """The androgen level under stretches of suppression, with exact integrals.

    Args:
        suppressed: (start, end) days, in order and apart.
        castrate_level: reached in the end, relative to before (50 over 500 ng/dl).
        fall_per_day: a half-life of 4 days reaches castration within three weeks (labels). [proposal]
        recovery_per_day: a half-life of 60 days; months after long suppression. [proposal]
    """

    suppressed: Sequence[tuple[float, float]] = ()
    castrate_level: float = 0.1
    fall_per_day: float = math.log(2) / 4
    recovery_per_day: float = math.log(2) / 60

    def level(self, day: float) -> float:
        """A on ``day``; 1 before any suppression."""
        start, at_start, target, rate = self._stretch(day)
        return target + (at_start - target) * math.exp(-rate * (day - start))

    def exposure(self, start: float, end: float) -> float:
        """Integral of A from ``start`` to ``end``, in days."""
        changes = [day for stretch in self.suppressed for day in stretch if start < day < end]
        total = 0.0
        for left, right in zip([start, *changes], [*changes, end], strict=True):
            begun, at_begin, target, rate = self._stretch(left)
            level = target + (at_begin - target) * math.exp(-rate * (left - begun))
            total += target * (right - left) + (level - target) * -math.expm1(-rate * (right - left)) / rate
        return total

    def mean_growth_factor(self, start: float, end: float, androgen_independent: float = 0.0) -> float:
        """Mean of rho(A) / rho over a stretch of time.

        Args:
            androgen_independent: f, growth without androgen over growth with; negative where cells then die.
        """
        return androgen_independent + (1.0 - androgen_independent) * self.exposure(start, end) / (end - start)

    def _stretch(self, day: float) -> tuple[float, float, float, float]:
        """Begin, level then, target and rate of the stretch that holds ``day``; a change belongs to what follows it."""
        begun, level, target, rate = 0.0, 1.0, 1.0, self.recovery_per_day  # at rest, whenever that began
        for start, end in self.suppressed:
            falling, recovering = (self.castrate_level, self.fall_per_day), (1.0, self.recovery_per_day)
            for change, (new_target, new_rate) in ((start, falling), (end, recovering)):
                if change > day:
                    return begun, level, target, rate
                level = target + (level - target) * math.exp(-rate * (change - begun))
                begun, target, rate = change, new_target, new_rate
        return begun, level, target, rate
