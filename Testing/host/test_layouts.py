"""Views and layouts: what is photographed is what the scene's nodes say."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def manager(host):
    import slicer

    return slicer.app.layoutManager()


@pytest.fixture
def ball(host):
    """A bright ball of 30 mm radius in a 100 mm cube."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ball")
    axis = np.arange(50) - 24.5
    distance_mm = 2 * np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    slicer.util.updateVolumeFromArray(node, 1000.0 * (distance_mm < 30))
    node.SetSpacing(2, 2, 2)
    node.SetOrigin(-49, -49, -49)
    node.CreateDefaultDisplayNodes()
    return node


def pixels(widget) -> np.ndarray:
    """(height, width, 3) of what a view shows."""
    from Testing.host.pythonqt.source import QtGui

    image = widget.content.pixmap.toImage().convertToFormat(QtGui.QImage.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()  # the image is about to go


def test_the_first_layout_is_slicers(manager):
    import slicer

    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert set(manager.sliceViewNames()) == {"Red", "Yellow", "Green"}
    assert (manager.threeDViewCount, manager.plotViewCount, manager.tableViewCount) == (1, 0, 0)
    orientations = [manager.sliceWidget(name).sliceOrientation() for name in ("Red", "Yellow", "Green")]
    assert orientations == ["Axial", "Sagittal", "Coronal"]


def test_slices_show_the_volume_in_true_size(host, manager, ball, tmp_path):
    import slicer

    slicer.util.setSliceViewerLayers(background=ball, fit=True)
    red = manager.sliceWidget("Red")
    red.sliceLogic().SetSliceOffset(0)
    red.mrmlSliceNode().SetFieldOfView(200, 200 * red.content.height / red.content.width, 1)
    host.screenshot(tmp_path / "ball.png")
    bright = pixels(red)[..., 0] > 128
    height, width = bright.shape
    assert (height, width) == (red.content.height, red.content.width)
    assert bright.sum() * (200 / width) ** 2 == pytest.approx(np.pi * 30**2, rel=0.05)
    assert red.offset.text == "S: 0.000mm"
    red.sliceLogic().SetSliceOffset(-40)
    host.screenshot(tmp_path / "outside.png")
    assert not (pixels(red) > 128).any()
    assert red.offset.text == "I: 40.000mm"


def test_the_window_changes_and_the_scale_stays(host, manager, ball, tmp_path):
    import slicer

    slicer.util.setSliceViewerLayers(background=ball, fit=True)
    host.screenshot(tmp_path / "before.png")
    red = manager.sliceWidget("Red")
    before = red.mrmlSliceNode().GetFieldOfView()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    host.screenshot(tmp_path / "after.png")
    after = red.mrmlSliceNode().GetFieldOfView()
    assert after[0] == pytest.approx(before[0])
    assert after[1] / after[0] == pytest.approx(red.content.height / red.content.width, rel=0.01)


def test_surfaces_are_in_3d(host, manager, tmp_path):
    import slicer
    import vtk

    host.screenshot(tmp_path / "empty.png")
    view = manager.threeDWidget(0)
    empty = pixels(view)
    source = vtk.vtkSphereSource()
    source.SetRadius(40)
    model = slicer.modules.models.logic().AddModel(source.GetOutputPort())
    model.GetDisplayNode().SetColor(1, 0, 0)
    view.threeDView().resetFocalPoint()
    host.screenshot(tmp_path / "sphere.png")
    red, green, blue = np.moveaxis(pixels(view).astype(int), -1, 0)
    assert (red - np.maximum(green, blue) > 60).mean() > 0.02
    assert (pixels(view) != empty).any()


def test_a_plot_layout_shows_the_chart(host, manager, tmp_path):
    import slicer

    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
    assert (manager.plotViewCount, manager.threeDViewCount) == (1, 1)
    host.screenshot(tmp_path / "empty.png")
    plot = manager.plotWidget(0)
    assert plot.content.pixmap.isNull()
    chart = slicer.util.plot(np.array([[0, 1.5], [30, 2.5], [60, 4.0]]), xColumnIndex=0, show=False)
    plot.mrmlPlotViewNode().SetPlotChartNodeID(chart.GetID())
    host.screenshot(tmp_path / "plot.png")
    assert plot.content.pixmap.width() == plot.content.width


def test_a_table_layout_shows_the_table(host, manager, tmp_path):
    import slicer

    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpTableView)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "numbers")
    node.AddColumn().SetName("drug")
    node.AddEmptyRow()
    node.SetCellText(0, 0, "temozolomide")
    manager.tableWidget(0).mrmlTableViewNode().SetTableNodeID(node.GetID())
    host.screenshot(tmp_path / "table.png")
    assert manager.tableWidget(0).tableView().item(0, 0).text() == "temozolomide"


def test_a_modules_own_layout(host, manager, tmp_path):

    number = 701
    description = """
        <layout type="horizontal"><item><view class="vtkMRMLSliceNode" singletontag="Red"/></item>
        <item><view class="vtkMRMLPlotViewNode" singletontag="PlotView1"/></item></layout>"""
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(number, description)
    manager.setLayout(number)
    host.screenshot(tmp_path / "own.png")
    assert manager.layout == number
    assert manager.sliceWidget("Red").visible
    assert not manager.sliceWidget("Yellow").visible
    assert manager.plotWidget(0).visible


def test_the_scene_chooses_the_layout(host, manager, ball, tmp_path):
    """As when a saved scene with its own arrangement of views is opened."""
    import slicer

    slicer.util.setSliceViewerLayers(background=ball)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView)
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView
    host.screenshot(tmp_path / "restored.png")
    assert not manager.sliceWidget("Red").visible
    background = manager.sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID()
    assert slicer.mrmlScene.GetNodeByID(background).GetName() == "ball"


def test_closing_the_scene_empties_the_views(host, manager, ball, tmp_path):
    import slicer

    slicer.util.setSliceViewerLayers(background=ball, fit=True)
    host.screenshot(tmp_path / "ball.png")
    assert (pixels(manager.sliceWidget("Red")) > 128).any()
    slicer.mrmlScene.Clear(0)
    host.screenshot(tmp_path / "closed.png")
    assert not (pixels(manager.sliceWidget("Red")) > 128).any()
