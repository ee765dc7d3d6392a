"""A painted dose in the scene: volumes in Gy, histograms as a chart, refilled by another."""

from __future__ import annotations

import numpy as np
import slicer

from Testing.mrml.conftest import CENTER_MM, distance_mm, head_grid
from TumorTwinLib.geometry import Image
from TumorTwinLib.mrml.dose_painting import show_dose_painting
from TumorTwinLib.mrml.volumes import image_from_node
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.dose_painting import DosePainting
from TumorTwinLib.recommend.dose_volume import DoseVolumeHistogram


def make_painting(boost_gy: float = 12.0) -> DosePainting:
    grid = head_grid()
    far = distance_mm(grid, CENTER_MM)
    target, brain = far < 30, far < 60
    plan = np.where(target, 60.0, 10.0).astype(np.float32)
    painted = plan + np.where(far < 15, boost_gy, 0).astype(np.float32)

    def histograms(dose):
        return tuple(DoseVolumeHistogram.of(n, dose, m) for n, m in (("target", target), ("brain", brain & ~target)))

    return DosePainting(
        "gbm_rt_60_30", Image(painted, grid, "painted dose", "Gy"), Image(plan, grid, "dose", "Gy"), np.ones(4),
        np.full(4, 2.0), 90.0, histograms(painted), histograms(plan), 3, (DISCLAIMER, "Exploratory."),
    )  # fmt: skip


def test_volumes_histograms_and_numbers():
    painting = make_painting()
    nodes = show_dose_painting(painting, "P1")
    np.testing.assert_allclose(image_from_node(nodes.dose).array, painting.dose.array)
    assert nodes.dose.GetVoxelValueUnits().GetCodeValue() == "Gy"
    series = [nodes.chart.GetNthPlotSeriesNode(n) for n in range(nodes.chart.GetNumberOfPlotSeriesNodes())]
    assert [one.GetName() for one in series] == ["target, painted", "brain, painted", "target, plan", "brain, plan"]
    dose, volume = (slicer.util.arrayFromTableColumn(series[0].GetTableNode(), name) for name in ("dose", "volume"))
    assert dose[-1] == 72.0
    assert (volume[0], np.diff(volume).max()) == (100.0, 0.0)
    assert list(slicer.util.arrayFromTableColumn(nodes.table, "max")) == [72.0, 10.0, 60.0, 10.0]
    assert nodes.notes.GetText().splitlines() == [DISCLAIMER, "Exploratory."]
    assert "exploratory (in-silico research)" in nodes.chart.GetTitle()


def test_another_one_refills_the_nodes():
    first = show_dose_painting(make_painting(), "P1")
    count = slicer.mrmlScene.GetNumberOfNodes()
    again = show_dose_painting(make_painting(6.0), "P1")
    assert again.dose is first.dose
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert slicer.util.arrayFromVolume(again.dose).max() == 66.0
