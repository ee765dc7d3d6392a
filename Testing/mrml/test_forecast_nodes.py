"""A forecast in the scene: sequences, tables, charts, hierarchy; again without piling up; and through a scene file."""

import json
from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk

from Testing.mrml.conftest import make_forecast
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.forecast import FOLDER, ForecastNodes, show_forecast
from TumorTwinLib.mrml.scene import load_scene, save_scene
from TumorTwinLib.mrml.segmentations import masks_from_segmentation
from TumorTwinLib.mrml.volumes import image_from_node


def node_ids(scene) -> set[str]:
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def items_below(item: int) -> list[str]:
    """Names of the subject-hierarchy items below an item, with their depth as leading dots."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children, False)
    names = []
    for number in range(children.GetNumberOfIds()):
        child = children.GetId(number)
        names.append(hierarchy.GetItemName(child))
        names.extend("." + name for name in items_below(child))
    return names


def column(table, name: str) -> np.ndarray:
    return slicer.util.arrayFromTableColumn(table, name)


def check_scene(forecast, nodes: dict) -> None:
    """Everything the forecast says is in the nodes; used on fresh nodes and on nodes read back from a file."""
    sequence = nodes["density_sequence"]
    assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("time", "day")
    assert sequence.GetIndexType() == slicer.vtkMRMLSequenceNode.NumericIndex
    values = [float(sequence.GetNthIndexValue(n)) for n in range(sequence.GetNumberOfDataNodes())]
    assert values == pytest.approx(forecast.days)

    browser = nodes["browser"]
    assert browser.GetMasterSequenceNode() is sequence
    assert browser.GetProxyNode(sequence) is nodes["density"]
    assert browser.GetProxyNode(nodes["regions_sequence"]) is nodes["regions"]
    for number in (0, len(forecast.days) - 1):
        browser.SetSelectedItemNumber(number)
        density = image_from_node(nodes["density"])
        full = density.resample(forecast.grid, order=0).array
        assert np.abs(full - forecast.cellularity[number]).max() < 2e-3  # the crop drops densities up to 1e-3
        assert density.unit == "1"
        for region, mask in masks_from_segmentation(nodes["regions"]).items():
            assert mask.array.sum() * mask.grid.voxel_volume_mm3 == pytest.approx(forecast.volume_mm3[region][number])
            assert nodes["regions"].GetSegmentation().GetSegment(region).GetRepresentation("Closed surface")
    assert nodes["density"].GetDisplayNode().GetColorNode() is nodes["color_table"]
    assert nodes["density"].GetVoxelValueQuantity().GetCodeMeaning() == "Tumor cell density"
    assert list(masks_from_segmentation(nodes["regions"])) == ["whole_tumor", "core"]

    check_tables(forecast, nodes)
    check_charts(nodes)
    check_hierarchy(nodes)


def check_tables(forecast, nodes: dict) -> None:
    table = nodes["table"]
    assert column(table, "day") == pytest.approx(forecast.days)
    assert column(table, "core_volume") == pytest.approx(forecast.volume_mm3["core"] / 1000, rel=1e-5)
    assert column(table, "cell_count") == pytest.approx(forecast.total_cell_count / 1e9, rel=1e-5)
    units = {
        name: table.GetColumnUnitLabel(name) for name in ("day", "core_volume", "whole_tumor_volume", "cell_count")
    }
    assert units == {"day": "d", "core_volume": "mL", "whole_tumor_volume": "mL", "cell_count": "10^9 cells"}
    assert table.GetColumnTitle("core_volume") == "Tumor core volume (mL)"
    assert table.GetColumnDescription("core_volume")
    assert [table.GetCellText(row, 1) for row in (0, 2)] == ["2024-03-01 09:30", "2024-04-30 14:00"]
    assert [table.GetCellText(row, 2) for row in (2, 3)] == ["fit", "prediction"]

    assert column(nodes["curve_table"], "day") == pytest.approx(forecast.curve.days, rel=1e-5)
    curve_ml = forecast.curve.volume_mm3["core"] / 1000
    assert column(nodes["curve_table"], "core_volume") == pytest.approx(curve_ml, rel=1e-5)
    measured = column(nodes["measured_table"], "core_volume")
    assert measured[0] == pytest.approx(forecast.measurements[0].volume_mm3["core"] / 1000, rel=1e-5)
    assert np.isnan(measured[1])  # not segmented at that visit
    assert column(nodes["parameter_table"], "value") == pytest.approx([0.11, 0.2])
    assert [nodes["parameter_table"].GetCellText(row, 6) for row in (0, 1)] == ["yes", "not assessed"]
    assert json.loads(nodes["provenance"].GetText()) == {"seed": 7, "version": "0.1.0"}


def check_charts(nodes: dict) -> None:
    chart = nodes["volume_chart"]
    series = {chart.GetNthPlotSeriesNode(n).GetName(): chart.GetNthPlotSeriesNode(n)
              for n in range(chart.GetNumberOfPlotSeriesNodes())}  # fmt: skip
    assert list(series) == [
        "Whole tumor, predicted", "Whole tumor, measured", "Tumor core, predicted", "Tumor core, measured",
        "Last scan used",
    ]  # fmt: skip
    assert series["Tumor core, predicted"].GetTableNode() is nodes["curve_table"]
    assert series["Tumor core, measured"].GetTableNode() is nodes["measured_table"]
    assert series["Tumor core, measured"].GetLineStyle() == slicer.vtkMRMLPlotSeriesNode.LineStyleNone
    assert chart.GetXAxisTitle() == "Time since first scan (days)"
    assert chart.GetYAxisTitle() == "Volume (mL)"
    segment = nodes["regions"].GetSegmentation().GetSegment("core")
    assert series["Tumor core, predicted"].GetColor() == pytest.approx(segment.GetColor(), abs=1 / 255)


def check_hierarchy(nodes: dict) -> None:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes["density"]))
    study = hierarchy.GetItemParent(folder)
    patient = hierarchy.GetItemParent(study)
    assert hierarchy.GetItemName(folder) == FOLDER
    assert (hierarchy.GetItemName(study), hierarchy.GetItemLevel(study)) == ("TumorTwin", "Study")
    assert (hierarchy.GetItemName(patient), hierarchy.GetItemLevel(patient)) == ("VGBM_001", "Patient")
    assert items_below(hierarchy.GetSceneItemID())[0] == "VGBM_001"
    assert all(name.startswith(".") for name in items_below(hierarchy.GetSceneItemID())[1:])  # nothing lies beside it


def test_a_forecast_is_shown_in_full(forecast):
    check_scene(forecast, vars(show_forecast(forecast)))


def test_a_scene_file_keeps_everything(forecast, tmp_path):
    names = {role: node.GetName() for role, node in vars(show_forecast(forecast)).items() if hasattr(node, "GetName")}
    load_scene(save_scene(tmp_path / "forecast.mrb"))
    loaded = {role: slicer.util.getFirstNodeByName(name, class_of(role)) for role, name in names.items()}
    check_scene(forecast, loaded)


CLASSES = {
    "browser": "vtkMRMLSequenceBrowserNode",
    "density": "vtkMRMLScalarVolumeNode",
    "regions": "vtkMRMLSegmentationNode",
    "color_table": "vtkMRMLColorTableNode",
    "provenance": "vtkMRMLTextNode",
}


def class_of(role: str) -> str:
    ends = {"_sequence": "vtkMRMLSequenceNode", "table": "vtkMRMLTableNode", "_chart": "vtkMRMLPlotChartNode"}
    return CLASSES.get(role) or next(kind for end, kind in ends.items() if role.endswith(end))


def test_showing_again_refills_the_same_nodes(forecast, scene):
    first = show_forecast(forecast)
    before = node_ids(scene)
    grown = make_forecast(days=(0.0, 45.0, 90.0), growth_mm_per_day=0.12)
    second = show_forecast(grown)
    assert node_ids(scene) == before
    assert first == second
    check = second.density_sequence
    assert check.GetNumberOfDataNodes() == 3
    assert column(second.table, "day") == pytest.approx([0, 45, 90])


def test_showing_again_after_a_scene_was_read_refills_its_nodes(forecast, scene, tmp_path):
    show_forecast(forecast)
    load_scene(save_scene(tmp_path / "forecast.mrb"))
    slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0].SetSelectedItemNumber(1)  # as a user would
    before = node_ids(scene)
    show_forecast(forecast)
    assert node_ids(scene) == before


def test_nodes_of_a_region_that_is_gone_are_removed(forecast):
    show_forecast(forecast)
    without_core = replace(
        forecast,
        thresholds={"whole_tumor": 0.16},
        volume_mm3={"whole_tumor": forecast.volume_mm3["whole_tumor"]},
        curve=None,
    )
    show_forecast(without_core)
    assert not [node for node in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode") if "core" in node.GetName()]


def test_two_runs_of_one_patient_stay_apart(forecast):
    first = show_forecast(forecast)
    second = show_forecast(forecast, run="Without TMZ")
    assert {node.GetID() for node in vars(first).values() if hasattr(node, "GetID")}.isdisjoint(
        node.GetID() for node in vars(second).values() if hasattr(node, "GetID")
    )
    assert second.density.GetName() == "VGBM_001 Without TMZ tumor cell density"
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert items_below(hierarchy.GetSceneItemID()).count("VGBM_001") == 1
    assert ".Without TMZ" in items_below(hierarchy.GetSceneItemID())


def test_results_can_be_filed_under_an_existing_study(forecast, scene):
    hierarchy = scene.GetSubjectHierarchyNode()
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "DICOM patient")
    study = hierarchy.CreateStudyItem(patient, "MR of 2024")
    nodes = show_forecast(forecast, study=study)
    assert hierarchy.GetItemParent(nodes.folder) == study
    assert "VGBM_001" not in items_below(hierarchy.GetSceneItemID())


def test_the_outer_region_stays_translucent_when_the_day_changes(forecast, tmp_path):
    show_forecast(forecast).browser.SetSelectedItemNumber(2)
    load_scene(save_scene(tmp_path / "forecast.mrb"))
    browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0]
    browser.SetSelectedItemNumber(1)
    display = slicer.util.getFirstNodeByName("VGBM_001 predicted regions", "vtkMRMLSegmentationNode").GetDisplayNode()
    assert display.GetSegmentOpacity3D("whole_tumor") == pytest.approx(0.3)
    assert display.GetSegmentOpacity3D("core") == pytest.approx(1.0)
    assert not display.GetVisibility2DFill()


def test_a_day_can_be_selected(forecast):
    assert show_forecast(forecast, day=35).browser.GetSelectedItemNumber() == 1
    assert show_forecast(forecast).browser.GetSelectedItemNumber() == 4


def test_frames_are_cropped_to_the_tumor(forecast):
    nodes = show_forecast(forecast)
    assert nodes.density.GetImageData().GetNumberOfPoints() < 0.5 * np.prod(forecast.grid.shape)


def test_a_day_without_a_region_has_an_empty_segment():
    forecast = make_forecast(days=(0.0, 30.0))
    faded = forecast.cellularity.copy()
    faded[1] *= 0.1
    volumes = {name: (faded >= level).sum((1, 2, 3)) * forecast.grid.voxel_volume_mm3
               for name, level in forecast.thresholds.items()}  # fmt: skip
    nodes = show_forecast(replace(forecast, cellularity=faded, volume_mm3=volumes))
    masks = masks_from_segmentation(nodes.regions)
    assert not masks["core"].array.any()
    assert not masks["whole_tumor"].array.any()


def test_a_forecast_without_a_curve_draws_its_output_days(forecast):
    nodes = show_forecast(replace(forecast, curve=None))
    assert column(nodes.curve_table, "day") == pytest.approx(forecast.days)


def test_a_forecast_without_measurements_has_only_curves(forecast):
    nodes = show_forecast(replace(forecast, measurements=()))
    names = [nodes.volume_chart.GetNthPlotSeriesNode(n).GetName()
             for n in range(nodes.volume_chart.GetNumberOfPlotSeriesNodes())]  # fmt: skip
    assert names == ["Whole tumor, predicted", "Tumor core, predicted"]
    assert nodes.measured_table.GetNumberOfRows() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {"days": f.days[::-1]}, "output days .* in rising order"),
        (lambda f: {"days": f.days[:2]}, "fields of shape"),
        (lambda f: {"cellularity": f.cellularity * np.nan}, "not finite"),
        (lambda f: {"cellularity": f.cellularity * 0}, "no tumor cells on any day"),
        (lambda f: {"thresholds": {}}, "no region with a threshold"),
        (lambda f: {"thresholds": {"core": 0.6}}, "do not match its days and regions"),
        (lambda f: {"curve": replace(f.curve, days=f.curve.days[:3])}, "do not match its days and regions"),
        (lambda f: {"total_cell_count": f.total_cell_count[:3]}, "do not match its days and regions"),
    ],
    ids=["order", "length", "nan", "empty", "no-threshold", "regions", "curve", "counts"],
)
def test_a_forecast_that_contradicts_itself_leaves_the_scene_alone(forecast, scene, change, message):
    before = node_ids(scene)
    with pytest.raises(TumorTwinError, match=f"The forecast of VGBM_001 .*{message}"):
        show_forecast(replace(forecast, **change(forecast)))
    assert node_ids(scene) == before


def test_every_field_of_the_result_is_a_node_in_the_scene(forecast, scene):
    nodes = show_forecast(forecast)
    assert set(vars(nodes)) == set(ForecastNodes.__dataclass_fields__)
    apart = ("folder", "uncertainty", "prior_chart")  # an item of the hierarchy; only of forecasts with uncertainty
    assert all(scene.IsNodePresent(node) for role, node in vars(nodes).items() if role not in apart)


def test_colors_are_perceptually_ordered_and_clear_at_zero(forecast):
    table = show_forecast(forecast).color_table.GetLookupTable()
    colors = np.array([table.GetTableValue(index) for index in range(256)])
    assert colors[0, 3] == 0
    assert (colors[1:, 3] == 1).all()
    lightness = colors[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (lightness[8:] > lightness[:-8]).all()  # rises from dark to bright, so it also reads in gray
    assert table.GetRange() == (0, 255)
