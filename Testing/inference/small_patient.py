"""A small virtual patient for the tests of models, calibration and twin: a ball of brain, scans made by the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.physics.solver import SolverSettings, solve
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent

START = datetime(2024, 3, 4, 9, 30)
SPACING_MM = 2.5
DAYS = (0.0, 30.0, 60.0)
# Strong enough to be seen by two small scans: eight fractions of 2 Gy, ten doses whose kill is several times Stupp's.
TRUTH = {
    "diffusivity_mm2_per_day": 0.2,
    "proliferation_per_day": 0.06,
    "radiosensitivity_per_gy": 0.04,
    "tmz_sensitivity_per_day": 0.8,
}


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def fractions(days: Sequence[float], dose_gy: float = 2.0) -> list[TreatmentEvent]:
    return [RadiotherapyFraction(at(day), dose_gy) for day in days]


def doses(days: Sequence[float], amount: float = 75.0, unit: str = "mg/m2") -> list[TreatmentEvent]:
    return [DrugDose(at(day), "temozolomide", amount, unit) for day in days]


# Fractions before, doses after the middle visit as well, so that the two kills can be told apart.
TREATMENTS = (*fractions([d + 0.2 for d in range(5, 13)]), *doses([20.0, 21.0, 22.0, 23.0, 24.0, *range(35, 40)]))


def brain(n: int = 24, spacing_mm: float = SPACING_MM) -> Image:
    """A ball of brain that nearly fills its grid of n voxels a side."""
    grid = Grid.from_spacing((n, n, n), (spacing_mm,) * 3)
    return Image(distance_mm(grid) < 0.48 * n * spacing_mm, grid, "brain_mask")


def distance_mm(grid: Grid, off_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """(ni, nj, nk) distance from the grid's middle, moved by ``off_mm``."""
    ras = grid.ras_mm(np.stack(np.indices(grid.shape), axis=-1))
    middle = grid.ras_mm((np.array(grid.shape) - 1) / 2)
    return np.linalg.norm(ras - middle - np.array(off_mm), axis=-1)


def young_tumor(grid: Grid, radius_mm: float = 8.0) -> np.ndarray:
    """(ni, nj, nk) cellularity of a soft ball a little off the middle."""
    return 0.8 / (1.0 + np.exp((distance_mm(grid, (3.0, -2.0, 4.0)) - radius_mm) / 1.5))


def visit(
    day: float, cellularity: np.ndarray, grid: Grid, *, whole_level: float = 0.2, core_level: float = 0.6
) -> Visit:
    """What a scanner and a radiologist make of a cellularity."""
    regions = {
        "enhancing": cellularity > core_level,
        "edema": (cellularity > whole_level) & (cellularity <= core_level),
    }
    return Visit(
        at(day),
        {"ADC": Image((3000.0 * (1.0 - cellularity)).astype(np.float32), grid, f"ADC of day {day:g}", "1e-6 mm2/s")},
        {name: Image(mask, grid, f"{name} of day {day:g}") for name, mask in regions.items()},
    )


def patient(visits: Sequence[Visit], treatments: Sequence[TreatmentEvent] = TREATMENTS, **more) -> PatientData:
    mask = more.pop("brain_mask", None) or brain()
    return PatientData("virtual", visits=visits, treatments=treatments, brain_mask=mask, **more)


def model(brain_mask: Image | None = None, **settings) -> ReactionDiffusionModel:
    """Levels as the virtual radiologist's; the first state is what the first scan shows, nothing outside."""
    return ReactionDiffusionModel(
        domain=brain_mask or brain(), **({"core_level": 0.6, "whole_level": 0.2, "initial": "adc"} | settings)
    )


def grow(
    treated: PatientData,
    grown_by: ReactionDiffusionModel,
    days: Sequence[float],
    truth: Mapping[str, float] = TRUTH,
    settings: SolverSettings | None = None,
) -> np.ndarray:
    """(n, ni, nj, nk) cellularity at the days, from the patient's first visit."""
    values = grown_by.values(truth)
    reaction, diffusivity = grown_by.dynamics(treated, [values])
    first = grown_by.initial_state(grown_by.observe(treated)[0], values)
    settings = settings or SolverSettings(tolerance=1e-5)
    return solve(grown_by.physics_domain, first, reaction, diffusivity, days, settings=settings).cellularity[:, 0]


def virtual_patient(
    days: Sequence[float] = DAYS,
    truth: Mapping[str, float] = TRUTH,
    treatments: Sequence[TreatmentEvent] = TREATMENTS,
    *,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
    **settings,
) -> PatientData:
    """A patient whose later visits are the model's own solution, with noise of that cellularity in their ADC."""
    mask = brain()
    first = visit(0.0, young_tumor(mask.grid) * mask.array, mask.grid)
    seed = patient([first], treatments)
    fields = grow(seed, model(**settings), days[1:], truth)
    scans = [visit(day, u, mask.grid) for day, u in zip(days[1:], fields, strict=True)]
    if noise and rng is not None:
        scans = [with_noise(scan, noise * rng.standard_normal(mask.grid.shape)) for scan in scans]
    return patient([first, *scans], treatments)


def with_noise(scan: Visit, cellularity: np.ndarray) -> Visit:
    """The same contours over an ADC map that is off by this cellularity."""
    adc = scan.images["ADC"]
    noisy = (adc.array - 3000.0 * cellularity).astype(np.float32)
    return Visit(scan.time, {"ADC": Image(noisy, adc.grid, adc.name, adc.unit)}, scan.regions)
