"""What a posterior says, as plain data: of every parameter, and of a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

INFORMED = 0.8  # posterior over prior standard deviation below which data informed a parameter
STEPS = 255.0  # maps of fractions are kept in steps of this


@dataclass(frozen=True)
class ParameterRow:
    """What is known of one parameter.

    Args:
        median, lower, upper: of the posterior, lower to upper 95 %; prior_lower, prior_upper: of the prior.
        sd_ratio: posterior over prior standard deviation, in the variable whose prior is standard normal.
        divergence: of the posterior from the prior in nats (Kullback-Leibler, both as Gaussians there).
        r_hat: over the islands of a tempered SMC, or None.
    """

    name: str
    symbol: str
    unit: str
    median: float
    lower: float
    upper: float
    prior_lower: float
    prior_upper: float
    sd_ratio: float
    divergence: float
    r_hat: float | None
    source: str

    @property
    def informed(self) -> bool:
        return self.sd_ratio < INFORMED

    @property
    def mark(self) -> str:
        return "informed" if self.informed else "prior-dominated"


@dataclass(frozen=True, eq=False)
class PosteriorSummary:
    """The table of a posterior; ``str()`` of it is readable.

    Args:
        rows: one a calibrated parameter.
        notes: how the draws were made and how far they can be trusted, one sentence each.
        method: of the draws.
        k_hat: of the importance weights, or None without any.
        effective: number of equal draws that the weighted ones are worth.
        reliable: whether their diagnostic accepts them.
        cancelled: stopped on request; this is the best so far.
        draws: (m,) equally probable draws by parameter name, for pictures.
    """

    rows: tuple[ParameterRow, ...]
    notes: tuple[str, ...]
    method: str = ""
    k_hat: float | None = None
    effective: float = 0.0
    reliable: bool = False
    cancelled: bool = False
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __str__(self) -> str:
        names = ("parameter", "unit", "median", "2.5 %", "97.5 %", "sd ratio", "KL")
        head = "{:28s}{:12s}{:>10s}{:>10s}{:>10s}{:>10s}{:>7s}  data".format(*names)
        lines = [
            f"{r.name:28s}{r.unit:12s}{r.median:10.4g}{r.lower:10.4g}{r.upper:10.4g}"
            f"{r.sd_ratio:10.2f}{r.divergence:7.2f}  {r.mark}"
            for r in self.rows
        ]
        return "\n".join([head, *lines, *self.notes])


@dataclass(frozen=True, eq=False)
class Band:
    """A central interval over days.

    Args:
        level: probability inside, 0 to 1.
        median, lower, upper: (n,).
        calibrated: whether a conformal factor, fitted on a virtual cohort, set its width; raw otherwise.
    """

    level: float
    median: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    calibrated: bool

    @property
    def name(self) -> str:
        """As in ``90 % interval, raw``."""
        return f"{100 * self.level:g} % interval, {'calibrated' if self.calibrated else 'raw'}"


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How far a forecast can be off: equally probable futures, condensed.

    Args:
        futures: how many.
        days: (c,) of the bands, days since the first visit.
        volume_mm3: by region, bands of the volume that a scan will show, the narrower first, raw before calibrated.
        cells: bands of the number of tumor cells.
        prior_mm3: by region, what was expected of the model's volume before any later scan was seen.
        density: by percent (5, 50, 95), (n, ni, nj, nk) uint8 quantile of cellularity on the days of the forecast,
            voxel by voxel, in 1/255.
        probability: by region, (n, ni, nj, nk) uint8 share of futures in which a voxel is inside it, in 1/255.
        cohort: what calibrated intervals were fitted on, in words; empty without any.
    """

    futures: int
    days: np.ndarray
    volume_mm3: Mapping[str, tuple[Band, ...]]
    cells: tuple[Band, ...]
    prior_mm3: Mapping[str, Band]
    density: Mapping[int, np.ndarray]
    probability: Mapping[str, np.ndarray]
    cohort: str = ""
