"""What a twin predicts: fields at output times, and the quantities a clinician reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.uncertainty import INFORMED, PosteriorSummary, Uncertainty


@dataclass(frozen=True)
class Measurement:
    """What one scan showed, for the measured points on the plots.

    Args:
        day: days since the first visit.
        volume_mm3: by region name (``"core"``, ``"whole_tumor"``); a region not segmented is absent.
        total_cell_count: cells in the tumour from the ADC map, or None without one.
    """

    day: float
    volume_mm3: Mapping[str, float]
    total_cell_count: float | None = None


@dataclass(frozen=True)
class ParameterValue:
    """One calibrated parameter as the tables show it.

    Args:
        symbol: as in the model's equation.
        value, standard_error: in ``unit``; the standard error is on the same scale, or None.
        posterior_to_prior_sd: below 0.8 the data informed the parameter; above, it rests on the prior.
        source: where the prior comes from.
    """

    name: str
    symbol: str
    value: float
    unit: str
    standard_error: float | None = None
    posterior_to_prior_sd: float | None = None
    source: str = ""

    @property
    def informed_by_data(self) -> bool | None:
        return None if self.posterior_to_prior_sd is None else self.posterior_to_prior_sd < INFORMED


@dataclass(frozen=True, eq=False)
class Curve:
    """The quantities of a forecast over time, dense enough to draw.

    Args:
        days: (m,) days since the first visit.
        volume_mm3: by region name, (m,).
        total_cell_count: (m,) cells.
    """

    days: np.ndarray
    volume_mm3: Mapping[str, np.ndarray]
    total_cell_count: np.ndarray


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predicted tumour at the output times.

    Args:
        patient_id: of the patient forecast.
        start: calendar time of day 0 (the first visit).
        days: (n,) output times, days since ``start``.
        grid: of the fields.
        cellularity: (n, ni, nj, nk) float32, cells as a fraction of the carrying capacity.
        thresholds: by region name, the cellularity above which a voxel counts as that region.
        volume_mm3: by region name, (n,) volume above its threshold.
        total_cell_count: (n,) cells.
        curve: the same quantities every few days, from the first visit to the last output.
        forecast_from_day: the last visit used in calibration; earlier output days are a fit, later ones a prediction.
        measurements: what the visits showed.
        parameters: the parameters used.
        provenance: versions, seed, settings, hashes of inputs.
        posterior, uncertainty: of a Bayesian calibration; the forecast itself is then of the most probable parameters.
    """

    patient_id: str
    start: datetime
    days: np.ndarray
    grid: Grid
    cellularity: np.ndarray
    thresholds: Mapping[str, float]
    volume_mm3: Mapping[str, np.ndarray]
    total_cell_count: np.ndarray
    curve: Curve | None = None
    forecast_from_day: float = 0.0
    measurements: tuple[Measurement, ...] = ()
    parameters: tuple[ParameterValue, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    posterior: PosteriorSummary | None = None
    uncertainty: Uncertainty | None = None
