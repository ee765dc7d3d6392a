"""Pictures show what and where the nodes say, and leave the scene as it was."""

import os
import subprocess
import sys

import numpy as np
import pytest
import slicer
import vtk
from vtk.util import numpy_support

from Testing.mrml.conftest import CENTER_MM, make_forecast
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml import graphics
from TumorTwinLib.mrml.canvas import BACKGROUND, Canvas
from TumorTwinLib.mrml.charts import nice_ticks, render_chart
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.rendering import render_3d, render_slices
from TumorTwinLib.mrml.views import SliceView
from TumorTwinLib.mrml.visits import show_patient
from TumorTwinLib.terminology import REGION_TERMS

TITLE = {"title": "VGBM_001", "subtitle": "Day 180"}


def read_png(path) -> np.ndarray:
    """(height, width, 3) int, first row on top."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    width, height, _ = reader.GetOutput().GetDimensions()
    pixels = numpy_support.vtk_to_numpy(reader.GetOutput().GetPointData().GetScalars())
    return pixels.reshape(height, width, -1)[::-1, :, :3].astype(int)


def scene_state(scene) -> list[tuple]:
    """What a picture must not change: nodes, and which displays are visible."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return [(node.GetID(), node.GetVisibility() if node.IsA("vtkMRMLDisplayNode") else None) for node in nodes]


def colored(picture: np.ndarray) -> np.ndarray:
    """Pixels that are not gray."""
    return np.ptp(picture, axis=2) > 40


def near(picture: np.ndarray, color, tolerance: int = 40) -> np.ndarray:
    return np.abs(picture - np.array(color)).max(axis=2) < tolerance


@pytest.mark.usefixtures("needs_graphics")
class TestSlices:
    def test_the_tumor_is_drawn_on_the_patients_own_side(self, patient, forecast, scene, tmp_path):
        visits, nodes = show_patient(patient), show_forecast(forecast)
        before = scene_state(scene)
        picture = read_png(
            render_slices(
                tmp_path / "slices.png",
                anatomy=visits.anatomy(60),
                density=nodes.density,
                regions=nodes.regions,
                **TITLE,
            )
        )
        assert scene_state(scene) == before
        panels = [picture[78 : 78 + 540, left : left + 460] for left in (0, 468, 936)]
        for panel, (right, down) in zip(panels, ((-1, 1), (-1, -1), (1, -1)), strict=True):
            tumor = np.argwhere(colored(panel)).mean(axis=0)
            head = np.argwhere(panel.max(axis=2) > 60).mean(axis=0)
            # The tumor is right, posterior and superior of the middle; radiology shows the right side on the left.
            assert np.sign(tumor[1] - head[1]) == right
            assert np.sign(tumor[0] - head[0]) == down
        outline = REGION_TERMS["whole_tumor"].color
        assert near(panels[0], outline).sum() > 50

    def test_size_on_the_picture_is_size_in_the_patient(self, forecast):
        """A known box, 60 x 40 mm in the axial plane, in a view 200 mm wide."""
        box = np.zeros((100, 100, 100), np.float32)
        box[20:80, 30:70, 40:60] = 1.0
        node = slicer.util.addVolumeFromArray(box.T, np.diag([1.0, 1, 1, 1]), name="box")
        with SliceView("Axial", (400, 300)) as view:
            view.show(node, None, opacity=1.0, center_mm=(49.5, 49.5, 49.5), width_mm=200.0)
            picture = view.render()
        bright = np.argwhere(picture[..., 0] > 128)
        assert np.ptp(bright, axis=0) + 1 == pytest.approx([80, 120], abs=2)

    def test_other_visible_segmentations_stay_out_of_the_picture(self, patient, forecast, tmp_path):
        visits, nodes = show_patient(patient), show_forecast(forecast)
        arguments = {"anatomy": visits.anatomy(60), "density": None, "regions": nodes.regions, "center_mm": CENTER_MM}
        hidden = read_png(render_slices(tmp_path / "a.png", **arguments, **TITLE))
        visits.visits[0].segmentation.GetDisplayNode().SetVisibility(True)
        shown = read_png(render_slices(tmp_path / "b.png", **arguments, **TITLE))
        assert np.array_equal(hidden, shown)
        assert visits.visits[0].segmentation.GetDisplayNode().GetVisibility()


@pytest.mark.usefixtures("needs_graphics")
class TestThreeD:
    def test_surfaces_planes_and_shell_are_drawn(self, patient, forecast, scene, tmp_path):
        visits, nodes = show_patient(patient), show_forecast(forecast)
        before = scene_state(scene)
        arguments = {"anatomy": visits.anatomy(60), "brain": visits.brain, "center_mm": CENTER_MM}
        full = read_png(
            render_3d(tmp_path / "full.png", density=nodes.density, regions=nodes.regions, **arguments, **TITLE)
        )
        assert scene_state(scene) == before
        bare = read_png(render_3d(tmp_path / "bare.png", **arguments, **TITLE))
        view = (slice(78, 78 + 680), slice(0, 640))  # left of the orientation cube
        core = REGION_TERMS["core"].color
        green = (full[view][..., 1] > full[view][..., 0] + 60) & (full[view][..., 1] > 90)
        assert green.sum() > 500, f"the core's surface, {core}, is not there"
        assert not colored(bare[view]).any()
        assert (bare[view].max(axis=2) > 120).sum() > 5000  # the planes of anatomy
        corner = bare[100:120, 20:40]
        assert near(corner, BACKGROUND, 3).all()  # the planes end with the brain

    def test_without_a_brain_mask_it_still_draws(self, patient, forecast, tmp_path):
        visits, nodes = show_patient(patient), show_forecast(forecast)
        path = render_3d(tmp_path / "view.png", anatomy=visits.anatomy(60), regions=nodes.regions, **TITLE)
        assert read_png(path).std() > 10


@pytest.mark.usefixtures("needs_graphics")
class TestCharts:
    def test_curves_and_points_have_their_colors(self, forecast, tmp_path):
        picture = read_png(render_chart(show_forecast(forecast).volume_chart, tmp_path / "volume.png"))
        plot = picture[130:]
        for region in ("whole_tumor", "core"):
            assert near(plot, REGION_TERMS[region].color).sum() > 300, region
        assert picture.shape == (600, 960, 3)

    def test_a_rising_curve_rises_on_the_picture(self, forecast, tmp_path):
        picture = read_png(render_chart(show_forecast(forecast).cell_count_chart, tmp_path / "count.png"))
        rows, columns = np.nonzero(near(picture[130:], (204, 120, 166)))
        assert rows[columns > columns.max() - 20].mean() < rows[columns < columns.min() + 20].mean() - 100

    def test_missing_values_are_left_out(self, forecast, scene, tmp_path):
        nodes = show_forecast(forecast)
        column = nodes.measured_table.GetTable().GetColumnByName("core_volume")
        column.SetValue(0, float("nan"))
        path = render_chart(nodes.volume_chart, tmp_path / "volume.png")
        assert near(read_png(path)[130:], REGION_TERMS["core"].color).sum() > 300

    def test_a_chart_without_series_is_refused(self, scene, tmp_path):
        chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", "empty chart")
        with pytest.raises(TumorTwinError, match="empty chart has no series"):
            render_chart(chart, tmp_path / "chart.png")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (-5.4, 185.4, 7, [0, 30, 60, 90, 120, 150, 180]),
        (0.0, 1.03, 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (1e-4, 3.1e-4, 4, [1e-4, 1.5e-4, 2e-4, 2.5e-4, 3e-4]),
        (0.0, 4.2e9, 4, [0, 1e9, 2e9, 3e9, 4e9]),
    ],
)
def test_ticks_are_round_numbers(low, high, about, expected):
    assert nice_ticks(low, high, about) == pytest.approx(expected)


def test_a_canvas_cuts_at_its_edges_and_blends():
    canvas = Canvas(40, 30)
    canvas.paste(np.full((10, 10, 3), 255, np.uint8), 35, -5)
    assert (canvas.pixels[:5, 35:] == 255).all()
    assert (canvas.pixels[5:] == BACKGROUND).all()
    half = np.full((4, 4, 4), 200, np.uint8)
    half[..., 3] = 128
    canvas.paste(half, 0, 20)
    assert canvas.pixels[21, 1] == pytest.approx([111, 112, 114], abs=1)


def test_text_is_written_where_it_is_anchored():
    for anchor, columns in (("left", slice(100, 200)), ("right", slice(0, 100)), ("center", slice(50, 150))):
        canvas = Canvas(200, 40)
        canvas.text("Day 180 é", 100, 5, size=16, anchor=anchor)
        inside = np.zeros((40, 200), bool)
        inside[:, columns] = True
        written = (canvas.pixels != BACKGROUND).any(axis=2)
        assert written[inside].any()
        assert not written[~inside].any()


def test_without_graphics_the_reason_and_the_remedy_are_given(monkeypatch, tmp_path, patient):
    monkeypatch.setattr(graphics, "graphics_available", lambda: False)
    visits, nodes = show_patient(patient), show_forecast(make_forecast())
    for draw in (
        lambda: render_slices(tmp_path / "a.png", anatomy=visits.anatomy(0), **TITLE),
        lambda: render_3d(tmp_path / "b.png", anatomy=visits.anatomy(0), **TITLE),
        lambda: render_chart(nodes.volume_chart, tmp_path / "c.png"),
    ):
        with pytest.raises(TumorTwinError, match="libegl1 libgl1-mesa-dri"):
            draw()
    assert not list(tmp_path.iterdir())


def test_a_machine_that_cannot_draw_is_found_out_without_a_crash():
    """VTK segfaults when its window cannot be made; here the kind of window is one that does not exist."""
    code = "import TumorTwinLib.mrml; from TumorTwinLib.mrml.graphics import graphics_available as g; print(g())"
    # A window of X11 without a server is the case of a bare container.
    environment = {**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": "vtkXOpenGLRenderWindow", "DISPLAY": ":99999"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "False")
