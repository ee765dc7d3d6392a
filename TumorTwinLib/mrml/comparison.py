"""A comparison of regimens as Slicer nodes: table, bands, treatment timeline, and where the tumor would be."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from TumorTwinLib.geometry import Grid, bounding_box
from TumorTwinLib.jobs.steps import run_through
from TumorTwinLib.mrml.colors import fill_color_table
from TumorTwinLib.mrml.comparison_tables import band_columns, course_columns, outcome_columns, pair_columns, series_name
from TumorTwinLib.mrml.density import fill_density, style_density
from TumorTwinLib.mrml.plots import Series, fill_chart
from TumorTwinLib.mrml.result_kinds import ResultKind
from TumorTwinLib.mrml.run_nodes import RunNodes, file_under, folder_item, study_item
from TumorTwinLib.mrml.sequences import browse, filling_sequence
from TumorTwinLib.mrml.tables import fill_table
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.terminology import term_for
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent
from TumorTwinLib.uncertainty import STEPS

RUN = "comparison"  # the set of nodes, apart from those of the forecast
FOLDER = "TumorTwin comparison"
MAP = "regimen_density"  # the role of a regimen's map, followed by its number
# Told apart by the color-blind (Okabe & Ito); gray is the untreated control.
_COLORS = (
    (0.00, 0.62, 0.45), (0.84, 0.37, 0.00), (0.34, 0.71, 0.91), (0.80, 0.47, 0.65), (0.90, 0.62, 0.00),
    (0.00, 0.45, 0.70), (0.94, 0.89, 0.26),
)  # fmt: skip
_GRAY = (0.60, 0.60, 0.60)
_CROP_MARGIN_VOXELS = (3, 3, 3)
_REGIMEN = "TumorTwin.Regimen"
_TIME = "Time since the last scan used (days)"


@dataclass(frozen=True)
class ComparisonNodes:
    """What ``show_comparison`` made.

    Args:
        table: one row a regimen; pair_table: one row every two.
        chart: volume over time with a band a regimen; timeline: what is given when.
        verdict: text node: the verdict, and what the reader must know.
        maps: by name of the regimen, the median density of the day that the forecast's browser shows; sequences: over
            time.
    """

    table: Any
    pair_table: Any
    chart: Any
    timeline: Any
    verdict: Any
    maps: Mapping[str, Any]
    sequences: Mapping[str, Any]


def show_comparison(record: ComparisonRecord) -> ComparisonNodes:
    """Put a comparison into the scene, or refill the nodes of an earlier one of this patient."""
    return run_through(showing_comparison(record))


def showing_comparison(record: ComparisonRecord) -> Generator[None, None, ComparisonNodes]:
    """``show_comparison`` in steps of one frame, so that a panel can let the user go on between them."""
    comparison = record.comparison
    nodes = RunNodes(comparison.patient_id, RUN)
    name = f"{comparison.patient_id} comparison"
    table = nodes.get("vtkMRMLTableNode", "comparison", name)
    fill_table(table, outcome_columns(comparison))
    pair_table = nodes.get("vtkMRMLTableNode", "pairs", f"{name}, pairs")
    fill_table(pair_table, pair_columns(comparison))
    verdict = nodes.get("vtkMRMLTextNode", "verdict", f"{name}, verdict")
    verdict.SetText("\n".join([comparison.sentence, *comparison.notes]))
    verdict.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    yield
    chart, timeline = _show_chart(nodes, record), _show_timeline(nodes, record)
    yield
    maps, sequences = yield from _showing_maps(nodes, record)
    nodes.remove_unused()
    yield
    folder = folder_item(study_item(comparison.patient_id, "TumorTwin"), FOLDER)
    file_under(folder, [table, pair_table, chart, timeline, *maps.values()])
    series = [c.GetNthPlotSeriesNode(n) for c in (chart, timeline) for n in range(c.GetNumberOfPlotSeriesNodes())]
    file_under(folder_item(folder, "Plot data"), [*series, *(one.GetTableNode() for one in series), verdict])
    return ComparisonNodes(table, pair_table, chart, timeline, verdict, maps, sequences)


def regimen_maps(nodes: RunNodes) -> list[tuple[ResultKind, Any]]:
    """The maps of regimens that a scene holds, each with the volume of the day that is shown.

    Args:
        nodes: of the comparison.
    """
    maps = []
    number = 0
    while (sequence := nodes.find(f"{MAP}_{number:02d}_sequence")) is not None:
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence)
        volume = browser and browser.GetProxyNode(sequence)
        if volume:
            title = sequence.GetAttribute(_REGIMEN)
            description = f"Median of the tumor cell density over draws, voxel by voxel, under: {title}."
            maps.append((ResultKind(f"{MAP}_{number:02d}", f"Density, {title}", description), volume))
        number += 1
    return maps


def color_of(number: int, count: int) -> tuple[float, float, float]:
    """Of a regimen's number among ``count``, the untreated control the last of them."""
    return _GRAY if number == count - 1 else _COLORS[number % len(_COLORS)]


def _show_chart(nodes: RunNodes, record: ComparisonRecord):
    comparison = record.comparison
    outcomes = (*comparison.outcomes, comparison.untreated)
    bands = nodes.get("vtkMRMLTableNode", "bands", "Comparison bands")
    fill_table(bands, band_columns(record))
    medians, bounds = [], []  # the legend begins with what tells the regimens apart
    for number, outcome in enumerate(outcomes):
        role, color = series_name(number), color_of(number, len(outcomes))
        upper, lower = f"{role}_upper", f"{role}_lower"
        medians.append(Series(f"band_{role}", outcome.title, bands, "day", f"{role}_median", color))
        bounds += [
            Series(f"band_{upper}", f"{outcome.title}, 97.5 %", bands, "day", upper, color, "dots", lower),
            Series(f"band_{lower}", f"{outcome.title}, 2.5 %", bands, "day", lower, color, "dots"),
        ]
    region = term_for(comparison.region).name.lower()
    title = f"{comparison.patient_id}: {region} under each regimen (in-silico research)"
    return fill_chart(nodes, "comparison_chart", title, _TIME, f"Volume of {region} (mL)", [*medians, *bounds])


def _show_timeline(nodes: RunNodes, record: ComparisonRecord):
    outcomes = record.comparison.outcomes
    count = len(outcomes) + 1
    series = []
    for number, outcome in enumerate(outcomes):
        for below, (kind, events) in enumerate(_by_kind(record.courses[outcome.name]).items()):
            role = f"{series_name(number)}_{kind.replace(' ', '_')}"
            table = nodes.get("vtkMRMLTableNode", f"course_{role}", f"{outcome.title}, {kind}")
            fill_table(table, course_columns(record, events, row=len(outcomes) - number - 0.15 * below))
            color = color_of(number, count)
            series.append(Series(f"given_{role}", f"{outcome.title}: {kind}", table, "day", "row", color, "points"))
    title = f"{record.comparison.patient_id}: what is given when, one row a regimen"
    return fill_chart(nodes, "timeline_chart", title, _TIME, "Regimen (first on top)", series)


def _by_kind(events: tuple[TreatmentEvent, ...]) -> dict[str, list[TreatmentEvent]]:
    kinds: dict[str, list[TreatmentEvent]] = {}
    for event in events:
        drug = event.drug if isinstance(event, DrugDose) else "resection"
        kinds.setdefault("radiotherapy" if isinstance(event, RadiotherapyFraction) else drug, []).append(event)
    return kinds


def _showing_maps(nodes: RunNodes, record: ComparisonRecord) -> Generator[None, None, tuple[dict, dict]]:
    """Sequences of the regimens, played by the forecast's browser."""
    if not record.density:
        return {}, {}
    patient_id = record.comparison.patient_id
    of_forecast = RunNodes(patient_id, "TumorTwin")
    browser = of_forecast.find("browser") or nodes.get(
        "vtkMRMLSequenceBrowserNode", "browser", f"{patient_id} regimens"
    )
    colors = nodes.get("vtkMRMLColorTableNode", "colors", "Tumor cell density colors of regimens")
    fill_color_table(colors)
    reached = np.logical_or.reduce([density.any(axis=0) for density in record.density.values()])
    lower, upper = bounding_box(reached, _CROP_MARGIN_VOXELS)
    window = tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))
    grid = record.grid.crop(lower, upper)
    yield
    maps, sequences = {}, {}
    for number, (name, density) in enumerate(record.density.items()):
        title = f"{patient_id} density, {record.title(name)}"
        role = f"{MAP}_{number:02d}"
        sequences[name] = nodes.get("vtkMRMLSequenceNode", f"{role}_sequence", f"{title}, over time")
        sequences[name].SetAttribute(_REGIMEN, record.title(name))
        known = browser.GetProxyNode(sequences[name])  # one read from a file carries no mark
        maps[name] = nodes.get("vtkMRMLScalarVolumeNode", role, title, known)
        fill = functools.partial(_filling, density, window, grid)
        yield from filling_sequence(sequences[name], record.days, maps[name], fill)
    browse(browser, [(sequences[name], maps[name]) for name in maps], browser.GetSelectedItemNumber())
    for name, volume in maps.items():
        style_density(volume, colors, f"Tumor cell density, median, {record.title(name)}", "fraction of capacity")
        slicer.modules.colors.logic().GetColorLegendDisplayNode(volume).SetVisibility(False)  # one legend at a time
        yield
    return maps, sequences


def _filling(density: np.ndarray, window: tuple[slice, ...], grid: Grid, node, number: int) -> Iterator[None]:
    fill_density(node, density[number][window] / np.float32(STEPS), grid)
    yield
