"""What a scan shows of the cellularity: ADC maps and contours."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.initial_state import Contours, signed_distance_mm
from TumorTwinLib.patient import Visit

FREE_WATER_ADC = 3000.0  # 1e-6 mm2/s at body temperature (Le Bihan 2006)
_LOWEST_MEASURED = -0.2  # two standard deviations of a noisy scan
_LEAST_SHARE = 0.25  # of a voxel inside the tumour, for an average over that part to mean something


def cellularity_from_adc(
    adc: np.ndarray, *, free_water: float = FREE_WATER_ADC, densest: float = 0.0, lowest: float = 0.0
) -> np.ndarray:
    """Cells as a fraction of carrying capacity, ``(ADC_w - ADC) / (ADC_w - ADC_min)`` (Atuegwu, Phys Med Biol 2010).

    Clipped to [0, 1]: an ADC above free water is fluid, not tumour, and holds no cells.

    Args:
        adc: 1e-6 mm2/s, any shape.
        free_water, densest: ADC without cells and at the carrying capacity, 1e-6 mm2/s.
        lowest: where to clip instead of at zero.
    """
    return np.clip((free_water - adc.astype(np.float32)) / np.float32(free_water - densest), lowest, 1.0)


@dataclass(frozen=True, eq=False)
class ObservedVisit:
    """One visit on the model's grid.

    Args:
        name: what messages call it.
        day: days since the first visit.
        grid: of the arrays.
        cellularity: (ni, nj, nk) from ADC inside the tumour, zero outside, or None without ADC or tumour. A little
            below zero where noise lifts ADC above free water: cut off there, its mean would be too high.
        core, whole: (ni, nj, nk) Boolean masks, or None where not segmented.
    """

    name: str
    day: float
    grid: Grid
    cellularity: np.ndarray | None
    core: np.ndarray | None
    whole: np.ndarray | None

    @functools.cached_property
    def contours(self) -> Contours:
        """Distances to the boundaries; only of a visit that shows a tumour."""
        assert self.whole is not None
        return Contours.of_masks(self.core, self.whole, self.grid.spacing_mm)


def observe_visit(visit: Visit, day: float, grid: Grid) -> ObservedVisit:
    """Resample what calibration compares with. ADC counts inside the tumour only: healthy tissue's says nothing."""
    core, whole = (None if mask is None else _on_grid(mask, grid) for mask in (visit.core, visit.whole_tumor))
    if core is not None and whole is not None:
        whole |= core
    cellularity = None
    tumor = visit.whole_tumor
    if "ADC" in visit.images and tumor is not None and whole is not None:
        adc = visit.images["ADC"]
        cells = cellularity_from_adc(adc.array, lowest=_LOWEST_MEASURED)
        if not adc.grid.same_as(grid):
            # Averaging across the tumour's rim would mix in healthy tissue: average inside the tumour only.
            inside = (tumor.resample(adc.grid, order=0).array > 0).astype(np.float32)
            cells = Image(cells * inside, adc.grid, adc.name).resample(grid).array
            share = Image(inside, adc.grid, adc.name).resample(grid).array
            cells = np.where(share > _LEAST_SHARE, cells / np.maximum(share, _LEAST_SHARE), 0.0)
        cellularity = np.where(whole, cells, 0.0).astype(np.float32)
    return ObservedVisit(f"The visit of {visit.time:%Y-%m-%d}", day, grid, cellularity, core, whole)


def _on_grid(mask: Image, grid: Grid) -> np.ndarray:
    """The mask on another grid, with its volume: those voxels of which most is inside, as many as it fills.

    Half a voxel as the limit would shrink a tumour by up to 4 %, as averaging rounds off what is convex.
    """
    share = Image((mask.array > 0).astype(np.float32), mask.grid, mask.name).resample(grid).array
    filled = round(float(share.sum(dtype=np.float64)))
    if filled == 0:
        return np.zeros(grid.shape, dtype=bool)
    limit = np.partition(share, share.size - filled, axis=None)[share.size - filled]
    return (share > 0) & (share >= limit)


# Within these a contour's level is believed (Lipkova 2019: T1CE 0.5 to 0.85, FLAIR 0.05 to 0.5).
_PLAUSIBLE = {"core": (0.5, 0.85), "whole": (0.05, 0.5)}
_LEAST_RIM_VOXELS = 200


def contour_levels(visits: Sequence[ObservedVisit], spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Plausible ones of ``measured_levels``: those at which a contour can be taken to run."""
    return {r: level for r, level in measured_levels(visits, spacing_mm).items() if is_plausible(r, level)}


def is_plausible(region: str, level: float) -> bool:
    low, up = _PLAUSIBLE[region]
    return low <= level <= up


def measured_levels(visits: Sequence[ObservedVisit], spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Cellularity on the core's and the whole tumour's contour, from ADC; a region not shown well is left out.

    Outside the whole tumour ADC is healthy tissue's, so its contour is extrapolated from the two shells inside it; the
    core's contour lies half-way between the shells on either side. The median over visits is returned.
    """
    found: dict[str, list[float]] = {"core": [], "whole": []}
    for visit in visits:
        if visit.cellularity is None or visit.whole is None:
            continue
        for region, mask in (("core", visit.core), ("whole", visit.whole)):
            if mask is None or not mask.any():
                continue
            depth = -signed_distance_mm(mask, spacing_mm) / max(spacing_mm)  # voxels inside the contour
            shells = [(depth > low) & (depth <= low + 1.0) & visit.whole for low in (-1.0, 0.0, 1.0)]
            if min(int(shell.sum()) for shell in shells[region == "whole" :]) < _LEAST_RIM_VOXELS:
                continue
            outer, inner, deep = (float(visit.cellularity[shell].mean()) if shell.any() else 0.0 for shell in shells)
            found[region].append(0.5 * (outer + inner) if region == "core" else 1.5 * inner - 0.5 * deep)
    return {region: float(np.median(values)) for region, values in found.items() if values}
