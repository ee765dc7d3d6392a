"""The demo glioblastomas HGG_demo_001 to 003: patients, truths, reference fields, and what the peer needed for them.

The peer is TumorTwin of the Oncology Modeling Group (arXiv 2505.00670), which made these virtual patients with its own
solver: explicit, half-day steps, drug concentration sampled at points. Its data and the fields computed from them are
research data, not shipped: the folder TUMORTWIN_DATA, else ../shared/data beside the checkout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.calibration import MapCalibration, MapResult
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.models.observation import FREE_WATER_ADC
from TumorTwinLib.patient import PatientData
from TumorTwinLib.patient.data import Visit
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.treatment.drugs import find_drug
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction

PARAMETERS = (
    "diffusivity_mm2_per_day",
    "proliferation_per_day",
    "radiosensitivity_per_gy",
    "tmz_sensitivity_per_day",
)
SYMBOLS = ("D", "k", "alpha_RT", "alpha_TMZ")  # the peer's names for them, in the same order

# What the patients were made with, in the peer's units: drug sensitivity is that of its largest dose.
TRUTH = {"001": (0.1, 0.05, 0.05, 0.2), "002": (0.2, 0.2, 0.05, 0.2), "003": (0.2, 0.1, 0.025, 0.1)}
LARGEST_DOSE_MG = 215.0
CALIBRATION_VISITS = 5

# The peer on patient 001, CPU seconds of one thread on this kind of machine: quietest run of each, reading excluded.
PEER_FORWARD_CPU_S = {120: 11.0, 270: 33.1}
PEER_STEP_DAYS = 0.5
PEER_CALIBRATION_CPU_S = 24 * 60.0  # 101 solves; 24 to 29 minutes
PEER_SOLVES = 101
PEER_GUESS = (0.05, 0.025, 0.025, 0.5)
PEER_ERROR_PERCENT = (0.0021, 0.0007, 0.006, 0.0302)  # on its own data, made by its own solver
PEER_EXCESS_KILL = 0.03518 / 0.02164 - 1.0  # of one dose at its half-day step, over the exact integral

LEVELS = {"whole_tumor": 0.25, "core": 0.65}  # cellularity; see docs/forecast.md


def research_data() -> Path | None:
    """The folder of research data, or None, after saying so, where it is absent."""
    folder = Path(os.environ.get("TUMORTWIN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    if (folder / "reference" / "hgg001_reference.npz").is_file():
        return folder
    print("Not measured: research data absent, set TUMORTWIN_DATA to its folder.")
    return None


def read_patient(folder: Path, number: str) -> PatientData:
    """HGG_demo patient ``"001"`` to ``"003"``: ten visits, every 30 days."""
    name = f"HGG_demo_{number}"
    return PatientData(imaging_dir=folder / "hgg" / name / f"{name}.json")


@dataclass(frozen=True, eq=False)
class Reference:
    """Fields of patient 001 at its true parameters.

    Args:
        mask: (ni, nj, nk) brain.
        days: (10,) of the visits.
        no_drug_days: (3,) of ``tt_nochemo_dt0p5``.
        initial: (ni, nj, nk) cellularity at the first visit.
        packed: by name, (days, voxels of the mask). ``conv_fvstencil`` is converged in time on a conservative stencil,
            ``conv_ttstencil`` on the peer's, ``tt_dt0p5`` and ``tt_dt0p1`` are the peer's own runs and
            ``tt_nochemo_dt0p5`` is its run with radiotherapy alone, which its stepping solves well.
    """

    mask: np.ndarray
    days: np.ndarray
    no_drug_days: np.ndarray
    initial: np.ndarray
    packed: Mapping[str, np.ndarray]

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """(voxels of the mask,) to (ni, nj, nk)."""
        field = np.zeros(self.mask.shape)
        field[self.mask] = values
        return field


def read_reference(folder: Path) -> Reference:
    with np.load(folder / "reference" / "hgg001_reference.npz") as arrays:
        shape = tuple(int(n) for n in arrays["shape"])
        bits = np.unpackbits(arrays["mask_packed"])[: np.prod(shape)]
        names = ("conv_fvstencil", "conv_ttstencil", "tt_dt0p5", "tt_dt0p1", "tt_nochemo_dt0p5")
        reference = Reference(
            mask=bits.reshape(shape).astype(bool),
            days=arrays["visit_days"].astype(float),
            no_drug_days=arrays["tt_nochemo_days"].astype(float),
            initial=np.zeros(shape),
            packed={name: arrays[name] for name in names},
        )
        reference.initial[reference.mask] = arrays["u0"]
    return reference


def relative_l2_by_visit(fields: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) ``|u - r| / |r|`` of paired arrays."""
    pairs = zip(fields, references, strict=True)
    return np.array([np.linalg.norm(u - r) / np.linalg.norm(r) for u, r in pairs])


def demo_model(patient: PatientData) -> ReactionDiffusionModel:
    """The model as these patients were made: one diffusivity, and nothing outside the first region of interest.

    Their regions hold every voxel with any cells at all, which is not what a contour shows: levels are given.
    """
    return ReactionDiffusionModel(
        domain=patient.brain_mask, initial="adc", core_level=LEVELS["core"], whole_level=LEVELS["whole_tumor"]
    )


def to_model(values: Sequence[float], patient: PatientData) -> dict[str, float]:
    """Parameters in the peer's units to the model's."""
    return dict(zip(PARAMETERS, (*values[:3], values[3] / _sensitivity_unit(patient)), strict=True))


def to_peer(values: Mapping[str, float], patient: PatientData) -> np.ndarray:
    """(4,) parameters of the model to the peer's units."""
    return np.array([values[name] for name in PARAMETERS]) * (1.0, 1.0, 1.0, _sensitivity_unit(patient))


def _sensitivity_unit(patient: PatientData) -> float:
    """The peer's reference dose over the model's, which is per body surface area."""
    return LARGEST_DOSE_MG / (find_drug("temozolomide").reference_amount * patient.body_surface_area_m2)


def without_drugs(patient: PatientData) -> PatientData:
    return replace(patient, treatments=[event for event in patient.treatments if not isinstance(event, DrugDose)])


def patient_of_field(patient: PatientData, reference: Reference, name: str) -> PatientData:
    """The patient as scanned had it grown like this field: ADC in integers, the region every voxel below free water."""
    visits = []
    for number, visit in enumerate(patient.visits):
        u = reference.initial if number == 0 else reference.unpack(reference.packed[name][number])
        adc = np.where(reference.mask, np.round(FREE_WATER_ADC * (1.0 - u)), 0.0)
        visits.append(_scanned(visit, adc, reference.mask & (adc < FREE_WATER_ADC)))
    return replace(patient, visits=visits)


def with_noise(patient: PatientData, seed: int, *, noise: float = 0.05, first_scan: bool = True) -> PatientData:
    """Scans with noise: ADC by ``noise`` of free water in every voxel, contours displaced by about one voxel.

    Contours move by a smooth random distance, one voxel in standard deviation, along their normals.

    Args:
        first_scan: whether the first scan has noise too; the model starts from it.
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    brain = patient.brain_mask.array > 0
    visits = list(patient.visits)
    for number, visit in enumerate(visits):
        if number == 0 and not first_scan:
            continue
        adc = visit.images["ADC"].array + noise * FREE_WATER_ADC * rng.standard_normal(brain.shape)
        shift = ndimage.gaussian_filter(rng.standard_normal(brain.shape), 2.0)
        region = visit.regions["enhancing"].array > 0
        voxels_outside = np.where(
            region, 0.5 - ndimage.distance_transform_edt(region), ndimage.distance_transform_edt(~region) - 0.5
        )
        contour = brain & (voxels_outside < shift / shift.std())
        visits[number] = _scanned(visit, np.where(brain, np.round(adc), 0.0), contour)
    return replace(patient, visits=visits)


def calibrate(
    patient: PatientData, *, start: Sequence[float] | None = None, tolerance: float = 1e-3
) -> tuple[ReactionDiffusionModel, MapResult]:
    """Fit all four parameters to the first five visits, from ``start`` (peer's units) or from the prior medians."""
    known = replace(patient, visits=patient.visits[:CALIBRATION_VISITS])  # nothing later is looked at
    model = demo_model(known)
    guess = {} if start is None else to_model(start, patient)
    return model, MapCalibration(model, known, start=guess, settings=SolverSettings(tolerance=tolerance)).run()


def log_kill(patient: PatientData, values: Sequence[float]) -> float:
    """Logarithm of the cells one would have without treatment over those with it, by parameters in the peer's units.

    Logistic growth aside, this sum over fractions and doses up to the last calibration visit is what the scans show of
    the two treatments together.
    """
    last = patient.visit_days[CALIBRATION_VISITS - 1]
    given = [event for event in patient.treatments if patient.day(event.time) < last]
    gray = sum(e.dose_gy + e.dose_gy**2 / 10.0 for e in given if isinstance(e, RadiotherapyFraction))
    doses = sum(e.amount / LARGEST_DOSE_MG for e in given if isinstance(e, DrugDose))
    return values[2] * gray + values[3] * doses / find_drug("temozolomide").elimination_rate_per_day


def excess_log_kill(patient: PatientData, number: str) -> float:
    """What the peer's half-day steps added to the drug's log kill when it made the patient's files."""
    return PEER_EXCESS_KILL * log_kill(patient, (0.0, 0.0, 0.0, TRUTH[number][3]))


def _scanned(visit: Visit, adc: np.ndarray, region: np.ndarray) -> Visit:
    image = visit.images["ADC"]
    return Visit(
        visit.time,
        {"ADC": Image(adc, image.grid, image.name, image.unit)},
        {"enhancing": Image(region, image.grid, image.name)},
    )
