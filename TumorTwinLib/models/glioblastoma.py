"""Glioblastoma: reaction-diffusion with white- and grey-matter diffusivity, radiotherapy and temozolomide."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.initial_state import adc_state, level_set_state
from TumorTwinLib.models.observation import ObservedVisit, contour_levels, observe_visit
from TumorTwinLib.models.parameters import Parameter, ParameterValues
from TumorTwinLib.models.populations import CLEARANCE_HALF_LIFE, RESISTANT_FRACTION, split
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.domain import Domain, make_domain
from TumorTwinLib.physics.populations import PopulationReaction
from TumorTwinLib.physics.reaction import Drug, FieldKill, InstantKill, LogisticReaction, Rate, Resection
from TumorTwinLib.treatment.drugs import decays, find_drug
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery
from TumorTwinLib.treatment.radiotherapy import lq_exponent_gy, oxygen_factor_at

_INITIAL_STATES = ("auto", "level_set", "adc", "adc_tail")
_CSF_LIMIT = 0.1  # voxels with less tissue than this are fluid and let no cells in

PARAMETERS = (
    Parameter(
        name="diffusivity_mm2_per_day",
        symbol="D",
        unit="mm2/day",
        median=0.13,
        log_sd=0.9,
        lower=1e-4,
        upper=3.0,
        description="diffusivity of tumor cells in white matter",
        source="Lipkova 2019 and Learn-Morph-Infer ranges, 0.02 to 1.5 mm2/day",
    ),
    Parameter(
        name="proliferation_per_day",
        symbol="rho",
        unit="1/day",
        median=0.03,
        log_sd=0.7,
        lower=1e-4,
        upper=0.5,
        description="net proliferation rate",
        source="Lipkova 2019 and Learn-Morph-Infer ranges, 0.0027 to 0.2 1/day",
    ),
    Parameter(
        name="radiosensitivity_per_gy",
        symbol="alpha",
        unit="1/Gy",
        median=0.035,
        log_sd=0.5,
        lower=1e-3,
        upper=0.5,
        description="linear coefficient of the linear-quadratic law",
        source="Rockne 2010",
    ),
    Parameter(
        name="tmz_sensitivity_per_day",
        symbol="kappa_TMZ",
        unit="1/day",
        median=0.28,
        log_sd=0.7,
        lower=1e-3,
        upper=5.0,
        description="kill rate right after one dose of 75 mg/m2 temozolomide (0.28 is a log kill of 0.03 a dose)",
        source="proposal: log kill 0.03 a dose, factor 2 either way with MGMT status",
    ),
)


@dataclass(frozen=True, eq=False)
class ReactionDiffusionModel:
    """Fisher-Kolmogorov growth of a glioblastoma in the brain (Swanson 2000; Lipkova 2019).

        du/dt = div(D(x) grad u) + rho u (1 - u) - kappa(t) u      in the brain, no flux through its wall
        D(x) = D [p_WM + p_GM / R],     no cells where p_WM + p_GM < 0.1 (ventricles, sulci)
        kappa(t) = kappa_TMZ sum_j (dose_j / 75 mg/m2) exp(-9.242 (t - t_j) / day)
        u -> u exp(-alpha (d + d^2 / (alpha/beta)))                at each radiotherapy fraction of d Gy

    u is cellularity: cells over carrying capacity. The dimensionless numbers that matter are the infiltration length
    ``L = sqrt(D / rho)`` over the voxel size (below 1 the front is not resolved) and ``2 sqrt(D rho) T`` over the
    tumour's size. Not in the model: mass effect, necrosis, anisotropic diffusion, oedema.

    On request a share of the cells resists temozolomide, and killed cells stay visible until they are cleared
    (``physics.populations``); each adds one parameter.

    Args:
        domain: brain mask; its space is the model's space.
        resolution_mm: isotropic voxel size, or None to keep the mask's own grid.
        tissues: white and grey matter fractions by name (``patient.tissues``); without them D is the same everywhere.
        grey_white_ratio: R, white over grey matter diffusivity (Swanson 2000: 5; Lipkova 2019: 10).
        alpha_beta_gy: alpha/beta ratio of tumour.
        core_level, whole_level: cellularity on the boundary of the enhancing core and of the FLAIR abnormality.
        initial: ``"level_set"`` (critical wave through the segmented boundaries), ``"adc"`` (measured cellularity in
            the tumour, nothing outside), ``"adc_tail"`` (measured inside, the wave's tail outside), or ``"auto"``:
            ``"adc_tail"`` where the first visit has an ADC map, ``"level_set"`` elsewhere.
        carrying_capacity_per_mm3: cells in a full cubic millimetre (packing 0.75 of 1e-6 mm3 cells).
        transition_dose_gy: fraction dose above which the survival curve goes on straight (LQ-L), or None.
        oxygen_mmhg: oxygen pressure; hypoxic voxels feel less of every fraction. Plenty everywhere without it.
        resistant_cells: whether a share of the cells, a parameter, resists temozolomide.
        visible_dead: whether scans show dead cells until they are cleared, with a half-life that is a parameter.
    """

    domain: Image
    resolution_mm: float | None = None
    tissues: Mapping[str, Image] = field(default_factory=dict)
    grey_white_ratio: float = 10.0
    alpha_beta_gy: float = 10.0
    core_level: float = 0.65
    whole_level: float = 0.25
    initial: str = "auto"
    carrying_capacity_per_mm3: float = 7.5e5
    transition_dose_gy: float | None = None
    oxygen_mmhg: Image | None = None
    resistant_cells: bool = False
    visible_dead: bool = False
    parameters: tuple[Parameter, ...] = PARAMETERS
    name: str = "glioblastoma"

    def __post_init__(self) -> None:
        if self.resolution_mm is not None and not 0.1 <= self.resolution_mm <= 10:
            raise TumorTwinError(f"resolution_mm is {self.resolution_mm}: give a voxel size between 0.1 and 10 mm.")
        if self.initial not in _INITIAL_STATES:
            raise TumorTwinError(f"Unknown initial state {self.initial!r}: choose from {', '.join(_INITIAL_STATES)}.")
        declared = {p.name for p in self.parameters}
        wanted = ((self.resistant_cells, RESISTANT_FRACTION), (self.visible_dead, CLEARANCE_HALF_LIFE))
        added = tuple(p for asked, p in wanted if asked and p.name not in declared)
        object.__setattr__(self, "parameters", (*self.parameters, *added))

    @classmethod
    def from_patient(
        cls, patient: PatientData, *, visits: int | None = None, **settings: Any
    ) -> ReactionDiffusionModel:
        """The model of this patient's brain, with tissue maps where the patient has them.

        The levels at which the contours run are taken from the patient's own ADC maps where these show them.

        Args:
            visits: how many visits may be looked at, from the first; all by default. A check of forecasts passes the
                number it calibrates on, so that later scans stay unseen.
        """
        model = cls(domain=patient.brain_mask, tissues=patient.tissues, **settings)
        levels: dict[str, Any] = {
            f"{region}_level": level
            for region, level in contour_levels(model.observe(patient)[:visits], model.grid.spacing_mm).items()
            if f"{region}_level" not in settings
        }
        return replace(model, **levels)

    @functools.cached_property
    def grid(self) -> Grid:
        own = self.domain.grid
        return own if self.resolution_mm is None else own.with_spacing(self.resolution_mm)

    @functools.cached_property
    def thresholds(self) -> dict[str, float]:
        """Cellularity above which a voxel counts as the region."""
        return {"core": self.core_level, "whole_tumor": self.whole_level}

    @functools.cached_property
    def physics_domain(self) -> Domain:
        mask = self.domain.resample(self.grid).array > 0.5
        if self.tissues:
            mask &= self._tissue("white_matter") + self._tissue("grey_matter") >= _CSF_LIMIT
        return make_domain(self.grid, mask, self._relative_diffusivity)

    @functools.cached_property
    def _inside(self) -> np.ndarray:
        """Flat indices of the voxels that can hold cells."""
        return np.flatnonzero(self.physics_domain.unpack(self.physics_domain.mask))

    @functools.cached_property
    def _relative_diffusivity(self) -> np.ndarray:
        """(ni, nj, nk) diffusivity over that of white matter."""
        if not self.tissues:
            return np.ones(self.grid.shape)
        return self._tissue("white_matter") + self._tissue("grey_matter") / self.grey_white_ratio

    def _tissue(self, name: str) -> np.ndarray:
        return self.tissues[name].resample(self.grid).array if name in self.tissues else np.zeros(self.grid.shape)

    def values(self, values: Mapping[str, float] | None = None) -> ParameterValues:
        """Checked parameter values; those not given stay at their prior median."""
        return ParameterValues(self.parameters, values)

    def observe(self, patient: PatientData) -> tuple[ObservedVisit, ...]:
        """Every visit on the model's grid: cellularity from ADC and region masks."""
        return tuple(observe_visit(visit, patient.day(visit.time), self.grid) for visit in patient.visits)

    def initial_state(
        self, first: ObservedVisit, values: Mapping[str, float], calibrated: Sequence[str] = ()
    ) -> np.ndarray:
        """(1, 1 + P, ni, nj, nk) cellularity at the first visit and its derivative by each log-parameter.

        Raises:
            TumorTwinError: the first visit shows no tumor.
        """
        if first.whole is None or not first.whole.any():
            raise TumorTwinError(f"{first.name} shows no tumor: segment the first visit before fitting a model to it.")
        length_mm = float(np.sqrt(values["diffusivity_mm2_per_day"] / max(values["proliferation_per_day"], 1e-9)))
        measured = first.cellularity
        kind = self.initial if self.initial != "auto" else ("level_set" if measured is None else "adc_tail")
        if kind != "level_set" and measured is None:
            raise TumorTwinError(f"{first.name} has no ADC map: add one, or choose the initial state 'level_set'.")
        voxels = self._inside
        contours, tail = first.contours.at(voxels), np.sqrt(self._relative_diffusivity.ravel()[voxels])
        if kind == "level_set" or measured is None:
            u, slope = level_set_state(contours, self.core_level, self.whole_level, length_mm, tail)
        else:
            cells = np.maximum(measured.ravel()[voxels], 0.0)
            if kind == "adc":
                u, slope = cells, np.zeros(len(voxels))
            else:
                u, slope = adc_state(cells, contours, self.whole_level, length_mm, tail)
        # L = sqrt(D / rho): d L / d log D = L / 2 and d L / d log rho = -L / 2
        weight = {"diffusivity_mm2_per_day": 0.5 * length_mm, "proliferation_per_day": -0.5 * length_mm}
        state = np.zeros((1, 1 + len(calibrated), math.prod(self.grid.shape)))
        state[0, 0, voxels] = u
        for number, name in enumerate(calibrated, start=1):
            if name in weight:
                state[0, number, voxels] = slope * weight[name]
        return state.reshape(1, -1, *self.grid.shape)

    def dynamics(
        self, patient: PatientData, members: Sequence[Mapping[str, float]], calibrated: Sequence[str] = ()
    ) -> tuple[LogisticReaction | PopulationReaction, Rate]:
        """Reaction and diffusivity of an ensemble, with derivatives by the logarithm of each calibrated parameter.

        Args:
            patient: whose treatments are applied, at their own minute.
            members: E sets of parameter values.

        Raises:
            TumorTwinError: a drug this model has no parameter for.
        """

        def rate(name: str, scale: float = 1.0) -> Rate:
            value = np.array([member[name] for member in members]) * scale
            derivative = np.zeros((len(value), len(calibrated)))
            if name in calibrated:
                derivative[:, list(calibrated).index(name)] = value
            return Rate(value, derivative)

        fields, instants, resections = [], [], []
        exponents: dict[Image | float, np.ndarray] = {}  # fractions of one plan share its map
        for event in patient.treatments:
            day = patient.day(event.time)
            if isinstance(event, Surgery):
                resections.append(Resection(day, self._cavity(event), event.residual_fraction))
            elif isinstance(event, RadiotherapyFraction) and event.dose_map is None and self.oxygen_mmhg is None:
                exponent = float(self._exponent_gy(event.dose_gy))
                instants.append(InstantKill(day, rate("radiosensitivity_per_gy", exponent)))
            elif isinstance(event, RadiotherapyFraction):
                key = event.dose_gy if event.dose_map is None else event.dose_map
                if key not in exponents:
                    dose = key.resample(self.grid).array if isinstance(key, Image) else key
                    exponents[key] = self._exponent_gy(dose)
                fields.append(FieldKill(day, rate("radiosensitivity_per_gy"), exponents[key]))
        drugs = self._drugs(patient, rate("tmz_sensitivity_per_day"))
        reaction = split(
            LogisticReaction(
                rate("proliferation_per_day"), drugs, tuple(instants), tuple(fields), resections=tuple(resections)
            ),
            resistant_fraction=rate(RESISTANT_FRACTION.name) if self.resistant_cells else None,
            clearance_half_life_days=rate(CLEARANCE_HALF_LIFE.name) if self.visible_dead else None,
        )
        return reaction, rate("diffusivity_mm2_per_day")

    def _exponent_gy(self, dose_gy) -> np.ndarray:
        """Log kill per alpha of a fraction, of one number or (ni, nj, nk)."""
        return lq_exponent_gy(
            dose_gy,
            self.alpha_beta_gy,
            transition_dose_gy=self.transition_dose_gy,
            oxygen_factor=1.0 if self.oxygen_mmhg is None else self._oxygen_factor,
        )

    @functools.cached_property
    def _oxygen_factor(self) -> np.ndarray:
        assert self.oxygen_mmhg is not None
        return oxygen_factor_at(np.maximum(self.oxygen_mmhg.resample(self.grid).array, 0.0))

    def _drugs(self, patient: PatientData, sensitivity: Rate) -> tuple[Drug, ...]:
        doses = [event for event in patient.treatments if isinstance(event, DrugDose)]
        if not doses:
            return ()
        temozolomide = find_drug("temozolomide")
        assert temozolomide is not None  # it is in the library's own list
        for dose in doses:
            if find_drug(dose.drug) is not temozolomide:
                raise TumorTwinError(
                    f"The glioblastoma model knows temozolomide only, not {dose.drug} ({dose.time:%Y-%m-%d %H:%M}): "
                    "remove that row from the treatments."
                )
        days = [(patient.day(dose.time), dose) for dose in doses]
        return tuple(
            Drug(sensitivity, part.rate_per_day, part.days, part.amounts)
            for part in decays(temozolomide, days, patient.body_surface_area_m2)
        )

    def _cavity(self, surgery: Surgery) -> np.ndarray:
        """(ni, nj, nk) what a resection takes."""
        if surgery.cavity is None:
            raise TumorTwinError(f"The surgery of {surgery.time:%Y-%m-%d} has no cavity mask: segment the cavity.")
        return surgery.cavity.resample(self.grid).array > 0.5
