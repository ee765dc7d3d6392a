"""One treated tumour with everything in it: fractions, drug doses, a dose map, and parameters with derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from Testing.physics.problems import ball, domain_of, ragged_mask
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.reaction import Drug, FieldKill, InstantKill, LogisticReaction, Rate
from TumorTwinLib.physics.solver import Solution, SolverSettings, StepPlan, solve

SHAPE, SPACING_MM = (13, 15, 12), (1.5, 1.0, 2.0)
NAMES = ("diffusivity", "proliferation", "alpha", "sensitivity", "height")
TRUTH = np.array([0.3, 0.06, 0.04, 0.5, 0.7])
OUTPUT_DAYS = (10.0, 45.0)  # sparse: most events lie between them

_FRACTIONS = np.array([week * 7 + day + hour for week in range(4) for day in range(5) for hour in (0.375, 0.625)]) + 5
_DOSES = np.concatenate([np.arange(5.25, 33.25), [40.0]])
_MAP_DAY = 20.5


@dataclass(frozen=True)
class Treated:
    """A patient of a test.

    Args:
        domain, tumour: where, and the first state per unit of height.
        dose_exponent: linear-quadratic exponent of one fraction with a dose map.
    """

    domain: Domain
    tumour: np.ndarray
    dose_exponent: np.ndarray
    output_days: tuple[float, ...] = field(default=OUTPUT_DAYS)

    def solve(
        self,
        values: np.ndarray,
        settings: SolverSettings,
        plan: StepPlan | None = None,
        tangents: bool = True,
    ) -> Solution:
        """``values`` is (E, 5) by ``NAMES``; tangents are with respect to each."""
        members, count = values.shape[0], len(NAMES) if tangents else 0

        def rate(name: str, factor: float = 1.0) -> Rate:
            p = NAMES.index(name)
            derivative = np.zeros((members, count))
            derivative[:, p : p + 1] = factor
            return Rate(values[:, p] * factor, derivative)

        reaction = LogisticReaction(
            rate("proliferation"),
            (Drug(rate("sensitivity"), 9.242, _DOSES, np.linspace(0.5, 1.5, len(_DOSES))),),
            tuple(InstantKill(float(day), rate("alpha", 1.2 * (1 + 1.2 / 10))) for day in _FRACTIONS),
            (FieldKill(_MAP_DAY, rate("alpha"), self.dose_exponent),),
        )
        initial = np.zeros((members, 1 + count, *self.tumour.shape))
        initial[:, 0] = values[:, 4, None, None, None] * self.tumour
        if tangents:
            initial[:, 1 + NAMES.index("height")] = self.tumour
        return solve(
            self.domain, initial, reaction, rate("diffusivity"), self.output_days, settings=settings, plan=plan
        )


def treated_patient(rng: np.random.Generator, shape=SHAPE, spacing_mm=SPACING_MM) -> Treated:
    """Ragged mask, patchy diffusivity, a dose that falls off along one axis."""
    domain = domain_of(ragged_mask(rng, shape, 0.9), spacing_mm, rng.uniform(0.1, 1.0, shape))
    dose_gy = np.broadcast_to(np.linspace(0.0, 6.0, shape[0])[:, None, None], shape)
    return Treated(domain, ball(shape, 4.0, spacing_mm, height=1.0, edge_mm=4.0), dose_gy + dose_gy**2 / 10)
