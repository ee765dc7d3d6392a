"""Dose painting: the same integral dose, given where it leaves fewer cells. Exploratory.

Minimize the mean over draws of log10 cells on a day after the course, over the dose per voxel inside the planning
target. The dose outside the target is not touched, so that healthy brain beyond it gets exactly what it got; the
target's integral dose is kept; every voxel stays within bounds. Projected gradient descent on the discrete derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.first_state import smoothed
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.inference.sampling import systematic_resample
from TumorTwinLib.physics.reaction import LogisticReaction
from TumorTwinLib.physics.solver import solve
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.dose_gradient import DoseResponse
from TumorTwinLib.recommend.dose_volume import DoseVolumeHistogram
from TumorTwinLib.recommend.plans import UNTREATED, Plan, treated_by
from TumorTwinLib.treatment.events import RadiotherapyFraction

_FIRST_MOVE = 0.25  # of the range between the bounds, by the voxel that moves most
_LEAST_MOVE = 0.01
_LEAST_GAIN = 1e-4  # log10 cells


@dataclass(frozen=True, eq=False)
class DosePainting:
    """A painted dose beside the plan it came from.

    Args:
        dose, reference: total dose (Gy) on the model's grid.
        log10_cells, reference_log10_cells: (m,) by draw, on ``counted_day`` (since the first visit).
        histograms, reference_histograms: by structure, of the painted dose and of the plan.
        iterations: of the descent, accepted.
        notes: the disclaimer, that this is exploratory, and the constraints.
    """

    plan: str
    dose: Image
    reference: Image
    log10_cells: np.ndarray
    reference_log10_cells: np.ndarray
    counted_day: float
    histograms: tuple[DoseVolumeHistogram, ...]
    reference_histograms: tuple[DoseVolumeHistogram, ...]
    iterations: int
    notes: tuple[str, ...]

    @property
    def gain_log10(self) -> np.ndarray:
        """(m,) log10 of cells fewer than with the plan, by draw."""
        return self.reference_log10_cells - self.log10_cells

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all but the two volumes, which are to be kept as such."""
        return {
            "plan": self.plan, "counted_day": self.counted_day, "iterations": self.iterations,
            "log10_cells": self.log10_cells.tolist(), "reference_log10_cells": self.reference_log10_cells.tolist(),
            "histograms": [h.to_dict() for h in self.histograms],
            "reference_histograms": [h.to_dict() for h in self.reference_histograms], "notes": list(self.notes),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], dose: Image, reference: Image) -> DosePainting:
        histograms = {
            key: tuple(DoseVolumeHistogram.from_dict(h) for h in data[key])
            for key in ("histograms", "reference_histograms")
        }
        cells = {key: np.array(data[key]) for key in ("log10_cells", "reference_log10_cells")}
        return cls(data["plan"], dose, reference, cells["log10_cells"], cells["reference_log10_cells"],
                   data["counted_day"], histograms["histograms"], histograms["reference_histograms"],
                   data["iterations"], tuple(data["notes"]))  # fmt: skip


def paint_dose(
    posterior: Posterior,
    plan: Plan,
    target: Image,
    *,
    days_after: float = 30.0,
    least_gy: float = 0.0,
    largest_gy: float = 75.0,
    draws: int = 4,
    iterations: int = 12,
    resolution_mm: float | None = 4.0,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> DosePainting:
    """Redistribute the dose of a plan's fractions inside a target.

    Args:
        plan: whose fractions are equal; its drugs are given as they are.
        target: mask inside which dose may move, as the PTV.
        days_after: the last fraction, on which cells are counted.
        least_gy, largest_gy: total dose allowed in a voxel of the target. The prescribed plan must lie within.
        draws: of the posterior that share one dose.
        resolution_mm: of the grid of doses, or None for the model's own.

    Raises:
        TumorTwinError: a plan without equal fractions, with a resection, bounds that the plan breaks, a target
            outside the brain, or a model of several populations.
    """
    problem, prescribed, count = _problem(posterior, plan, days_after, draws, resolution_mm, seed)
    grid = problem.model.grid
    domain = problem.model.physics_domain
    brain = domain.unpack(domain.mask)
    inside = brain & (target.resample(grid).array > 0.5)
    if not inside.any():
        raise TumorTwinError(f"The target {target.name} has no voxel inside the brain: check its mask.")
    low, high = least_gy / count, largest_gy / count
    if not (low <= prescribed[inside].min() + 1e-6 and prescribed[inside].max() - 1e-6 <= high):
        given = f"{prescribed[inside].min() * count:.4g} to {prescribed[inside].max() * count:.4g}"
        raise TumorTwinError(
            f"The plan {plan.name} gives {given} Gy inside the target: choose bounds around that, not {least_gy:g} to "
            f"{largest_gy:g} Gy."
        )
    dose, move, accepted = prescribed.copy(), _FIRST_MOVE, 0
    integral = float(prescribed[inside].sum())
    before, slope = problem.gradient(dose)
    reached = before
    for number in range(iterations):
        while move > _LEAST_MOVE:
            direction = slope[inside] - slope[inside].mean()
            trial = dose.copy()
            step = move * (high - low) / max(float(np.abs(direction).max()), 1e-300)
            trial[inside] = project(dose[inside] - step * direction, integral, low, high)
            cells = problem.log_cells(trial)
            if cells.mean() < reached.mean():
                break
            move *= 0.5
        else:
            break
        gain = float(reached.mean() - cells.mean())
        dose, accepted = trial, accepted + 1
        if on_progress is not None:
            on_progress(number + 1, iterations)
        reached, slope = problem.gradient(dose)
        if gain < _LEAST_GAIN:
            break
    structures = {"target": inside, "brain outside the target": brain & ~inside, "brain": brain}

    def histograms(of: np.ndarray) -> tuple[DoseVolumeHistogram, ...]:
        return tuple(DoseVolumeHistogram.of(n, of * count, mask) for n, mask in structures.items() if mask.any())

    notes = (
        DISCLAIMER,
        "Exploratory: the painted dose follows a predicted density that no scan shows.",
        f"The integral dose of the target is that of the plan; the dose outside it is the plan's; every voxel of the "
        f"target gets {least_gy:g} to {largest_gy:g} Gy. No beam delivers such a dose exactly.",
    )

    def volume(of: np.ndarray, name: str) -> Image:
        return Image((of * count).astype(np.float32), grid, f"{name}, {plan.title}", "Gy")

    return DosePainting(
        plan.name, volume(dose, "painted dose"), volume(prescribed, "dose"), reached, before, problem.end_day,
        histograms(dose), histograms(prescribed), accepted, notes,
    )  # fmt: skip


def project(dose: np.ndarray, total: float, low: float, high: float) -> np.ndarray:
    """The nearest (n,) dose that sums to ``total`` within the bounds: shifted and clipped, the shift by bisection."""
    left, right = low - float(dose.max()), high - float(dose.min())
    for _ in range(60):
        middle = 0.5 * (left + right)
        if np.clip(dose + middle, low, high).sum() < total:
            left = middle
        else:
            right = middle
    return np.clip(dose + right, low, high)


def _problem(
    posterior: Posterior, plan: Plan, days_after: float, draws: int, resolution_mm: float | None, seed: int
) -> tuple[DoseResponse, np.ndarray, int]:
    """The course as a function of its dose, the prescribed dose of a fraction, and how many there are."""
    patient, simulator = posterior.patient, posterior.simulator
    fractions = [event for event in plan.events if isinstance(event, RadiotherapyFraction)]
    if not fractions or len({(f.dose_gy, id(f.dose_map)) for f in fractions}) > 1:
        raise TumorTwinError(f"The plan {plan.name} has no fractions, or unequal ones: dose painting needs equal ones.")
    if len(fractions) + sum(hasattr(event, "drug") for event in plan.events) < len(plan.events):
        raise TumorTwinError(f"The plan {plan.name} has a resection: paint the dose of a plan without one.")
    if resolution_mm is not None:
        model = replace(simulator.model, resolution_mm=resolution_mm)
        simulator = replace(simulator, model=model, first=smoothed(model.observe(patient)[0]))
    model = simulator.model
    decision: datetime = patient.visits[posterior.visits_used[-1]].time
    day = patient.day(decision)
    rng = np.random.default_rng(seed)
    z = posterior.draws.z[systematic_resample(posterior.weights, draws, rng)]
    until = replace(simulator, patient=treated_by(patient, decision, UNTREATED))
    state, reaction, diffusivity = until.problem(z)
    if not isinstance(reaction, LogisticReaction):
        raise TumorTwinError("Dose painting works on models of one population: switch resistant and dead cells off.")
    if day > simulator.first.day:
        state = solve(model.physics_domain, state, reaction, diffusivity, [day], start_day=simulator.first.day,
                      settings=simulator.settings).cellularity[0][:, None]  # fmt: skip
    drugs_only = replace(plan, events=tuple(e for e in plan.events if not isinstance(e, RadiotherapyFraction)))
    members = [simulator.unknowns.values(one) for one in z]
    course, _ = model.dynamics(treated_by(patient, decision, drugs_only), members)
    course = replace(course, changes=reaction.changes, instants=(), fields=(), resections=())
    days = tuple(patient.day(f.time) for f in fractions)
    dose_map = fractions[0].dose_map
    dose = np.full(model.grid.shape, fractions[0].dose_gy) if dose_map is None else dose_map.resample(model.grid).array
    response = DoseResponse(
        model, patient, members, state, course, diffusivity, days, float(day), max(days) + days_after
    )  # fmt: skip
    return response, dose.astype(float), len(fractions)
