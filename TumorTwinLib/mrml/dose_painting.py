"""A painted dose in the scene: the dose volume, the plan's, and their histograms. Exploratory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from TumorTwinLib.geometry import Image
from TumorTwinLib.mrml.plots import Series, fill_chart
from TumorTwinLib.mrml.run_nodes import RunNodes, file_under, folder_item, study_item
from TumorTwinLib.mrml.tables import Column, fill_table
from TumorTwinLib.mrml.volumes import coded_entry, fill_volume
from TumorTwinLib.recommend.dose_painting import DosePainting
from TumorTwinLib.recommend.dose_volume import DoseVolumeHistogram

RUN = "dose painting"
FOLDER = "TumorTwin dose painting (exploratory)"
_COLORS = ((0.84, 0.37, 0.00), (0.34, 0.71, 0.91), (0.60, 0.60, 0.60))


@dataclass(frozen=True)
class DoseNodes:
    """What ``show_dose_painting`` made.

    Args:
        dose, reference: volumes in Gy, the painted dose and the plan's.
        chart: cumulative dose-volume histograms, lines of the painted dose and dashes of the plan's.
        table: mean and largest dose of every structure; notes: text node of what the reader must know.
    """

    dose: Any
    reference: Any
    chart: Any
    table: Any
    notes: Any


def show_dose_painting(painting: DosePainting, patient_id: str) -> DoseNodes:
    """Put a painted dose into the scene, or refill the nodes of an earlier one of this patient."""
    nodes = RunNodes(patient_id, RUN)
    dose = _volume(nodes, "dose", f"{patient_id} painted dose", painting.dose)
    reference = _volume(nodes, "reference", f"{patient_id} dose of the plan", painting.reference)
    series = []
    curves = (("painted", "line", painting.histograms), ("plan", "dashes", painting.reference_histograms))
    for kind, style, histograms in curves:
        for number, histogram in enumerate(histograms):
            table = nodes.get("vtkMRMLTableNode", f"{kind}_{number}", f"{histogram.structure}, {kind}")
            fill_table(table, _curve_columns(histogram))
            color = _COLORS[number % len(_COLORS)]
            label = f"{histogram.structure}, {kind}"
            series.append(Series(f"{kind}_line_{number}", label, table, "dose", "volume", color, style))
    title = f"{patient_id}: dose-volume histograms, exploratory (in-silico research)"
    chart = fill_chart(nodes, "dose_volume_chart", title, "Dose (Gy)", "Volume with at least that dose (%)", series)
    table = nodes.get("vtkMRMLTableNode", "doses", f"{patient_id} doses")
    fill_table(table, _dose_columns(painting))
    notes = nodes.get("vtkMRMLTextNode", "notes", f"{patient_id} dose painting, notes")
    notes.SetText("\n".join(painting.notes))
    nodes.remove_unused()
    folder = folder_item(study_item(patient_id, "TumorTwin"), FOLDER)
    file_under(folder, [dose, reference, chart, table])
    file_under(folder_item(folder, "Plot data"), [one.table for one in series])
    return DoseNodes(dose, reference, chart, table, notes)


def _volume(nodes: RunNodes, role: str, name: str, image: Image):
    node = nodes.get("vtkMRMLScalarVolumeNode", role, name)
    fill_volume(node, image)
    node.SetVoxelValueQuantity(coded_entry("128513", "DCM", "Absorbed Dose"))
    node.SetVoxelValueUnits(coded_entry("Gy", "UCUM", "Gray"))
    return node


def _curve_columns(histogram: DoseVolumeHistogram) -> list[Column]:
    return [
        Column("dose", "Dose", "Gy", "Total of the course.", histogram.dose_gy),
        Column("volume", "Volume", "%", "Share of the structure with at least this dose.", histogram.volume_percent),
    ]


def _dose_columns(painting: DosePainting) -> list[Column]:
    both = (*painting.histograms, *painting.reference_histograms)
    kinds = ["painted"] * len(painting.histograms) + ["plan"] * len(painting.reference_histograms)
    return [
        Column("structure", "Structure", "", "Whose dose.", [one.structure for one in both]),
        Column("kind", "Dose", "", "The painted one, or the plan's.", kinds),
        Column("mean", "Mean", "Gy", "Of the structure.", [one.mean_gy for one in both]),
        Column("max", "Largest", "Gy", "Of the structure.", [one.max_gy for one in both]),
        Column("d95", "D95", "Gy", "The least dose of the best-covered 95 %.", [one.dose_to(95.0) for one in both]),
    ]
