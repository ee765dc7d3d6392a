"""Virtual patients whose truth is known: drawn parameters, uneven growth, noisy ADC, misread contours.

Four scans of a small head: growth alone, ten fractions, fourteen doses of temozolomide, so that each effect is seen by
an interval of its own. The truth is drawn from the priors that the calibration is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from Testing.inference import small_patient as small
from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.unknowns import interval_covariance
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.models.initial_state import signed_distance_mm
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.physics.reaction import GrowthChange, Rate
from TumorTwinLib.physics.solver import SolverSettings, solve
from TumorTwinLib.recommend.plans import Plan
from TumorTwinLib.recommend.progression import RULES, time_to_progression
from TumorTwinLib.treatment.events import TreatmentEvent

DAYS = (0.0, 20.0, 40.0, 70.0)
HISTORY: tuple[TreatmentEvent, ...] = (
    *small.fractions([d + 0.2 for d in (*range(21, 26), *range(28, 33))]),
    *small.doses(range(41, 55), amount=150.0),
)
PRIORS = {
    "diffusivity_mm2_per_day": ("lognormal", 0.12, 0.5),
    "proliferation_per_day": ("lognormal", 0.045, 0.35),
    "radiosensitivity_per_gy": ("lognormal", 0.035, 0.5),
    "tmz_sensitivity_per_day": ("lognormal", 0.28, 0.7),
}
REGION, LEVELS = "whole_tumor", {"core_level": 0.6, "whole_level": 0.2}
HORIZON_DAYS, EVERY_DAYS = 150.0, 5.0
_GROWTH_SD, _GROWTH_DAYS, _PIECE_DAYS = 0.2, 30.0, 10.0  # of the truth: as the calibration doubts
_ADC_NOISE, _READER_MM = 0.05, 0.5
_VISIBLE_MM3 = 1000.0
_ACCURATE = SolverSettings(tolerance=1e-3)


@dataclass(frozen=True, eq=False)
class VirtualPatient:
    """What is known, and the truth behind it.

    Args:
        growth: (day, factor) of the true growth rate from that day on.
        final: (1, 1, ni, nj, nk) true cellularity at the last scan.
    """

    patient: PatientData
    model: ReactionDiffusionModel
    truth: dict[str, float]
    growth: tuple[tuple[float, float], ...]
    final: np.ndarray

    def times_to_progression(self, plan: Plan, sensitivities: Sequence[float] = (1.0,)) -> np.ndarray:
        """True days to progression under a plan, infinite beyond twice the horizon.

        Args:
            sensitivities: (E,) to temozolomide, over the true one: as doses so many times as large would act.
        """
        days = np.arange(0.0, 2.0 * HORIZON_DAYS + 1.0, EVERY_DAYS)
        drug = "tmz_sensitivity_per_day"
        members = [self.truth | {drug: factor * self.truth[drug]} for factor in sensitivities]
        fields = self.solve(self.final, (*HISTORY, *plan.events), DAYS[-1], DAYS[-1] + days, members)
        volumes = (fields >= LEVELS["whole_level"]).sum(axis=(2, 3, 4)) * self.model.grid.voxel_volume_mm3
        return time_to_progression(days, volumes.T.astype(float), RULES["volume"])

    def solve(
        self,
        state: np.ndarray,
        events: Sequence[TreatmentEvent],
        start: float,
        days: np.ndarray,
        members: Sequence[Mapping[str, float]],
    ) -> np.ndarray:
        """(n, E, ni, nj, nk) true cellularity at the days, from (1, 1, ni, nj, nk) at the start."""
        count = len(members)
        treated = replace(self.patient, treatments=events)
        reaction, diffusivity = self.model.dynamics(treated, [self.model.values(one) for one in members])
        rho = self.truth["proliferation_per_day"]
        changes = [GrowthChange(day, Rate.constant(rho * factor, count)) for day, factor in self.growth]
        reaction = replace(reaction, changes=tuple(changes))
        states = np.repeat(state, count, axis=0)
        return solve(
            self.model.physics_domain, states, reaction, diffusivity, days.tolist(), start_day=start, settings=_ACCURATE
        ).cellularity


def virtual_patient(seed: int) -> VirtualPatient:
    """The patient of a seed: redrawn until every scan shows a tumor that does not fill the head."""
    rng = np.random.default_rng(seed)
    mask = small.brain(20, 3.0)  # a grid coarse enough to be searched itself
    model = small.model(mask, **LEVELS, initial="adc_tail")
    voxel_mm3 = mask.grid.voxel_volume_mm3
    while True:
        truth = {name: float(median * np.exp(sd * rng.standard_normal())) for name, (_, median, sd) in PRIORS.items()}
        first = small.young_tumor(mask.grid, radius_mm=10.0) * mask.array
        scans = [_scan(0.0, first, mask, rng)]
        unseen = small.patient(scans, HISTORY, brain_mask=mask)
        start = first[None, None].astype(float)
        blank = VirtualPatient(unseen, model, truth, _growth(rng), start)
        fields = blank.solve(start, HISTORY, 0.0, np.array(DAYS[1:]), [truth])[:, 0]
        seen = [float((u > LEVELS["whole_level"]).sum()) * voxel_mm3 for u in fields]
        if min(seen) > _VISIBLE_MM3 and max(seen) < 0.5 * mask.array.sum() * voxel_mm3:
            break
    scans += [_scan(day, u, mask, rng) for day, u in zip(DAYS[1:], fields, strict=True)]
    patient = small.patient(scans, HISTORY, brain_mask=mask)
    return replace(blank, patient=patient, final=fields[-1][None, None].astype(float))


def _growth(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """An Ornstein-Uhlenbeck log growth rate as means over pieces."""
    edges = np.arange(0.0, DAYS[-1] + 2.0 * HORIZON_DAYS + _PIECE_DAYS, _PIECE_DAYS)
    root = np.linalg.cholesky(interval_covariance(edges.tolist(), _GROWTH_SD, _GROWTH_DAYS))
    factors = np.exp(root @ rng.standard_normal(len(root)))
    return tuple(zip(edges[:-1].tolist(), factors.tolist(), strict=True))


def _scan(day: float, u: np.ndarray, mask: Image, rng: np.random.Generator) -> Visit:
    """ADC with noise; contours displaced as a whole, as by a reader."""
    shift_mm = _READER_MM * rng.standard_normal()
    drawn = {}
    for region, level in (("core", LEVELS["core_level"]), ("whole", LEVELS["whole_level"])):
        inside = u > level
        if inside.any():
            inside = (signed_distance_mm(inside, mask.grid.spacing_mm) < shift_mm) & (mask.array > 0)
        drawn[region] = inside
    core = drawn["core"] & drawn["whole"]
    regions = {"enhancing": core, "edema": drawn["whole"] & ~core}
    adc = 3000.0 * (1.0 - u - _ADC_NOISE * rng.standard_normal(u.shape))
    return Visit(
        small.at(day),
        {"ADC": Image(adc.astype(np.float32), mask.grid, f"ADC of day {day:g}", "1e-6 mm2/s")},
        {name: Image(m, mask.grid, f"{name} of day {day:g}") for name, m in regions.items()},
    )
