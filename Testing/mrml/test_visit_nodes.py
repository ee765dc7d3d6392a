"""A patient's visits in the scene, and the views it opens with."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk

from TumorTwinLib.geometry import Image
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.layout import arrange_views
from TumorTwinLib.mrml.patient import patient_from_nodes
from TumorTwinLib.mrml.scene import load_scene, save_scene
from TumorTwinLib.mrml.visits import PatientNodes, show_patient
from TumorTwinLib.patient import PatientData


def path_of(node) -> list[str]:
    """Names of the subject-hierarchy items above a node, from the top."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item, names = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)), []
    while item != hierarchy.GetSceneItemID():
        names.insert(0, hierarchy.GetItemName(item))
        item = hierarchy.GetItemParent(item)
    return names


def test_each_visit_is_a_study_of_the_patient(patient):
    nodes = show_patient(patient)
    assert [visit.day for visit in nodes.visits] == pytest.approx([0, 30, 60.1875])
    assert path_of(nodes.visits[2].images["T1CE"]) == ["VGBM_001", "Visit 3: 2024-04-30, day 60.19"]
    assert path_of(nodes.visits[0].segmentation) == ["VGBM_001", "Visit 1: 2024-03-01, day 0"]
    assert path_of(nodes.brain) == ["VGBM_001"]
    assert nodes.visits[1].images["FLAIR"].GetName() == "FLAIR day 30"
    assert not nodes.visits[0].segmentation.GetDisplayNode().GetVisibility()


def test_window_and_level_span_the_tissue(patient):
    node = show_patient(patient).visits[0].images["T1CE"]
    display = node.GetDisplayNode()
    values = patient.visits[0].images["T1CE"].array
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    tissue = values[values > 0]
    assert np.mean((tissue >= low) & (tissue <= high)) > 0.97


def test_a_patient_shown_and_read_back_is_the_same(patient):
    shown = show_patient(patient)
    back = patient_from_nodes(
        patient_id=patient.patient_id,
        visits=[
            {"time": before.time, "images": after.images, "segmentation": after.segmentation}
            for before, after in zip(patient.visits, shown.visits, strict=True)
        ],
        brain_mask=shown.brain,
    )
    assert back.visit_days == patient.visit_days
    for before, after in zip(patient.visits, back.visits, strict=True):
        assert set(after.regions) == {"enhancing", "edema"}
        assert np.array_equal(after.whole_tumor.array, before.whole_tumor.array)
        assert after.whole_tumor.grid.same_as(before.whole_tumor.grid)
        assert np.array_equal(after.images["FLAIR"].array, before.images["FLAIR"].array)
    assert np.array_equal(back.brain_mask.array, patient.brain_mask.array)


def test_showing_again_refills_the_same_nodes(patient, scene):
    first = show_patient(patient)
    count = scene.GetNumberOfNodes()
    assert show_patient(patient) == first
    assert scene.GetNumberOfNodes() == count


def test_a_visit_without_the_usual_anatomy_shows_what_it_has(patient):
    adc = Image(np.full(patient.brain_mask.grid.shape, 900.0), patient.brain_mask.grid, "ADC", "1e-6 mm2/s")
    visits = [replace(patient.visits[0], images={"ADC": adc}), patient.visits[1]]
    nodes = show_patient(PatientData("VGBM_001", visits=visits, brain_mask=patient.brain_mask))
    assert list(nodes.visits[0].images) == ["ADC"]
    assert nodes.anatomy(10.0).GetName() == "T1CE day 30"  # later, but anatomy
    assert PatientNodes(nodes.visits[:1], nodes.brain).anatomy(10.0).GetName() == "ADC day 0"
    assert nodes.visits[0].images["ADC"].GetImageData().GetScalarType() == vtk.VTK_FLOAT


def test_the_anatomy_of_a_day_is_the_latest_seen_by_then(patient):
    nodes = show_patient(patient)
    assert nodes.anatomy(45.0).GetName() == "T1CE day 30"
    assert nodes.anatomy(400.0).GetName() == "T1CE day 60.19"
    assert nodes.anatomy(-1.0).GetName() == "T1CE day 0"
    assert PatientNodes((), nodes.brain).anatomy(0.0) is None


def test_a_saved_scene_opens_with_density_over_anatomy_and_the_chart(patient, forecast, scene, tmp_path):
    visits, nodes = show_patient(patient), show_forecast(forecast)
    center = (18.0, -12.0, 25.0)
    arrange_views(
        anatomy=visits.anatomy(180.0), density=nodes.density, chart=nodes.volume_chart, center_mm=center, width_mm=200
    )
    load_scene(save_scene(tmp_path / "scene.mrb"))
    for name in ("Red", "Yellow", "Green"):
        layers = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        assert scene.GetNodeByID(layers.GetBackgroundVolumeID()).GetName() == "T1CE day 60.19"
        assert scene.GetNodeByID(layers.GetForegroundVolumeID()).GetName() == "VGBM_001 tumor cell density"
        view = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        assert slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, 3] == pytest.approx(center)
        assert view.GetFieldOfView()[0] == pytest.approx(200)
    plot = scene.GetSingletonNode("PlotView1", "vtkMRMLPlotViewNode")
    assert plot.GetPlotChartNode().GetName() == "VGBM_001: tumor volume"
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView


def test_arranging_again_changes_the_same_view_nodes(patient, forecast, scene):
    visits, nodes = show_patient(patient), show_forecast(forecast)
    for day in (0.0, 60.2):
        arrange_views(
            anatomy=visits.anatomy(day), density=nodes.density, chart=nodes.cell_count_chart, center_mm=(0, 0, 0)
        )
    assert scene.GetNumberOfNodesByClass("vtkMRMLSliceNode") == 3
    assert scene.GetNumberOfNodesByClass("vtkMRMLLayoutNode") == 1
    red = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert scene.GetNodeByID(red.GetBackgroundVolumeID()).GetName() == "T1CE day 60.19"
