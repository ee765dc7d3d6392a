"""What a posterior says of a forecast, as Slicer nodes: maps over time, tables, a chart against the prior, draws."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.geometry import Grid, bounding_box
from TumorTwinLib.mrml.corner import corner_picture, fill_picture
from TumorTwinLib.mrml.density import fill_density, style_density
from TumorTwinLib.mrml.run_nodes import RunNodes
from TumorTwinLib.mrml.sequences import browse, filling_sequence
from TumorTwinLib.mrml.tables import fill_table
from TumorTwinLib.mrml.uncertainty_tables import draw_columns, interval_columns, posterior_columns
from TumorTwinLib.terminology import term_for
from TumorTwinLib.uncertainty import STEPS, Uncertainty

_CROP_MARGIN_VOXELS = (3, 3, 3)


@dataclass(frozen=True)
class UncertaintyNodes:
    """What ``showing_uncertainty`` made.

    Args:
        maps: volume by role (``result_kinds.MAPS``), of the day that the forecast's browser shows.
        posterior_table, interval_table: parameters, and volumes with intervals.
        draws_table: equally probable draws, to plot one parameter against another.
        corner: picture of the draws, as a color volume.
    """

    maps: Mapping[str, Any]
    posterior_table: Any
    interval_table: Any
    draws_table: Any
    corner: Any


def showing_uncertainty(
    nodes: RunNodes, name: str, forecast: Forecast, browser, color_table
) -> Generator[None, None, UncertaintyNodes | None]:
    """Make or refill the nodes in steps of one frame; None for a forecast without uncertainty.

    Args:
        name: what the names of the nodes begin with.
        browser: of the forecast, which then plays the maps, too.
    """
    posterior, uncertainty = forecast.posterior, forecast.uncertainty
    if posterior is None or uncertainty is None:
        return None
    maps = yield from _showing_maps(nodes, name, forecast, uncertainty, browser, color_table)
    posterior_table = nodes.get("vtkMRMLTableNode", "posterior", f"{name} posterior")
    fill_table(posterior_table, posterior_columns(posterior))
    interval_table = nodes.get("vtkMRMLTableNode", "intervals", f"{name} volume intervals")
    fill_table(interval_table, interval_columns(forecast, uncertainty))
    draws_table = nodes.get("vtkMRMLTableNode", "draws", f"{name} posterior draws")
    fill_table(draws_table, draw_columns(posterior))
    yield
    corner = nodes.get("vtkMRMLVectorVolumeNode", "corner", f"{name} corner plot")
    fill_picture(corner, corner_picture(posterior, forecast.patient_id).pixels)
    yield
    return UncertaintyNodes(maps, posterior_table, interval_table, draws_table, corner)


def _showing_maps(
    nodes: RunNodes, name: str, forecast: Forecast, uncertainty: Uncertainty, browser, color_table
) -> Generator[None, None, dict[str, Any]]:
    fields = {f"density_{percent:02d}": field for percent, field in uncertainty.density.items()}
    fields |= {f"probability_{region}": field for region, field in uncertainty.probability.items()}
    lower, upper = bounding_box(np.logical_or.reduce([f.any(axis=0) for f in fields.values()]), _CROP_MARGIN_VOXELS)
    window = tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))
    grid = forecast.grid.crop(lower, upper)
    yield
    maps, pairs = {}, []
    for role, field in fields.items():
        title, scale = _titles(role)
        sequence = nodes.get("vtkMRMLSequenceNode", f"{role}_sequence", f"{name} {title} over time")
        known = browser.GetProxyNode(sequence)  # one read from a file carries no mark
        maps[role] = nodes.get("vtkMRMLScalarVolumeNode", role, f"{name} {title}", known)
        fill = functools.partial(_filling, field, window, grid)
        yield from filling_sequence(sequence, forecast.days, maps[role], fill)
        pairs.append((sequence, maps[role]))
    browse(browser, pairs, browser.GetSelectedItemNumber())
    for role, volume in maps.items():
        title, scale = _titles(role)
        style_density(volume, color_table, title[0].upper() + title[1:], scale)
        slicer.modules.colors.logic().GetColorLegendDisplayNode(volume).SetVisibility(False)  # one legend at a time
        yield
    return maps


def _titles(role: str) -> tuple[str, str]:
    """What a map shows, and of what its scale is."""
    kind, _, of = role.partition("_")
    if kind == "density":
        return f"tumor cell density, {int(of)} % quantile", "fraction of capacity"
    return f"probability of {term_for(of).name.lower()}", "share of futures"


def _filling(field: np.ndarray, window: tuple[slice, ...], grid: Grid, node, number: int) -> Iterator[None]:
    fill_density(node, field[number][window] / np.float32(STEPS), grid)
    yield
