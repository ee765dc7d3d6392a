"""A forecast that grows in the scene while it is being solved."""

import numpy as np
import pytest
import slicer

from Testing.mrml.conftest import make_forecast
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.frames import Frame, FrameFolder
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.live_forecast import LiveForecast
from TumorTwinLib.mrml.scene import load_scene, save_scene
from TumorTwinLib.mrml.shown_forecast import find_forecast
from TumorTwinLib.mrml.volumes import image_from_node

PATIENT = "VGBM_001"


@pytest.fixture
def frames(tmp_path, forecast):
    """Writes the forecast's frames into a job folder, as a worker does."""

    def write(*, preview: bool = False, factor: float = 1.0) -> list[Frame]:
        folder = FrameFolder(tmp_path, forecast.grid, "print", preview=preview)
        return [
            folder.write(float(day), field * factor)
            for day, field in zip(forecast.days, forecast.cellularity, strict=True)
        ]

    return write


def shown_days(nodes) -> list[float]:
    sequence = nodes.density_sequence
    return [float(sequence.GetNthIndexValue(n)) for n in range(sequence.GetNumberOfDataNodes())]


def node_ids() -> set[str]:
    scene = slicer.mrmlScene
    return {scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())}


def test_days_appear_one_by_one_and_the_latest_is_shown(tmp_path, forecast, frames):
    live = LiveForecast(PATIENT)
    for number, frame in enumerate(frames()):
        nodes = live.add(tmp_path, frame)
        assert shown_days(nodes) == pytest.approx(forecast.days[: number + 1])
        assert nodes.browser.GetSelectedItemNumber() == number
        density = image_from_node(nodes.density)
        np.testing.assert_allclose(density.array, forecast.cellularity[number], atol=1e-4)
        np.testing.assert_allclose(density.grid.ijk_to_ras, forecast.grid.ijk_to_ras, atol=1e-9)
    assert nodes.density.GetDisplayNode().GetColorNode() is nodes.color_table
    assert nodes.density.GetName() == "VGBM_001 tumor cell density"
    assert find_forecast(PATIENT).day_count == len(forecast.days)


def test_the_forecast_itself_fills_the_same_nodes(tmp_path, forecast, frames):
    live = LiveForecast(PATIENT)
    for frame in [*frames(preview=True), *frames()]:
        nodes = live.add(tmp_path, frame)
    before = {nodes.browser.GetID(), nodes.density.GetID(), nodes.density_sequence.GetID(), nodes.regions.GetID()}
    final = show_forecast(forecast)
    assert {
        final.browser.GetID(),
        final.density.GetID(),
        final.density_sequence.GetID(),
        final.regions.GetID(),
    } == before
    assert final.density.GetName() == "VGBM_001 tumor cell density"
    assert final.regions_sequence.GetNumberOfDataNodes() == len(forecast.days)


def test_previews_are_called_so_and_do_not_mix_with_the_forecast(tmp_path, forecast, frames):
    live = LiveForecast(PATIENT)
    for factor in (0.3, 0.5):
        for frame in frames(preview=True, factor=factor):
            nodes = live.add(tmp_path, frame)
        assert nodes.density.GetName() == "VGBM_001 tumor cell density (preview)"
        assert shown_days(nodes) == pytest.approx(forecast.days)
        latest = image_from_node(nodes.density).array
        np.testing.assert_allclose(latest, factor * forecast.cellularity[-1], atol=1e-4)
    first, *_ = frames()
    nodes = live.add(tmp_path, first)
    assert shown_days(nodes) == [0.0]
    assert nodes.density.GetName() == "VGBM_001 tumor cell density"


def test_a_user_who_looks_at_another_day_is_left_there(tmp_path, frames):
    live, (first, second, third, *others) = LiveForecast(PATIENT), frames()
    live.add(tmp_path, first)
    nodes = live.add(tmp_path, second)
    nodes.browser.SetSelectedItemNumber(0)
    for frame in (third, *others):
        live.add(tmp_path, frame)
        assert nodes.browser.GetSelectedItemNumber() == 0


def test_nothing_of_an_earlier_forecast_stays_beside_the_new_one(tmp_path, forecast, frames):
    earlier = show_forecast(forecast)
    before = node_ids()
    nodes = LiveForecast(PATIENT).add(tmp_path, frames()[0])
    assert node_ids() == before  # nodes are refilled, not piled up
    assert shown_days(nodes) == [0.0]
    assert earlier.regions.GetSegmentation().GetNumberOfSegments() == 0
    assert earlier.regions_sequence.GetNumberOfDataNodes() == 0
    tables = (earlier.table, earlier.curve_table, earlier.measured_table, earlier.parameter_table)
    assert [table.GetNumberOfRows() for table in tables] == [0, 0, 0, 0]
    assert earlier.provenance.GetText() == ""
    again = show_forecast(forecast)
    assert again.table.GetNumberOfRows() == len(forecast.days)


def test_a_forecast_of_someone_else_stays(tmp_path, forecast, frames):
    other = show_forecast(make_forecast(), run="Other")
    LiveForecast(PATIENT).add(tmp_path, frames()[0])
    assert other.table.GetNumberOfRows() == len(forecast.days)
    assert other.density_sequence.GetNumberOfDataNodes() == len(forecast.days)


def test_a_frame_that_cannot_be_read_changes_nothing(tmp_path, forecast, frames):
    show_forecast(forecast)
    before = node_ids()
    for bad in (Frame(1.0, "frames/day_0001.npy"), Frame(1.0, "../secret.npy")):
        with pytest.raises(TumorTwinError):
            LiveForecast(PATIENT).add(tmp_path, bad)
    assert node_ids() == before
    assert find_forecast(PATIENT).day_count == len(forecast.days)


@pytest.mark.parametrize(
    "victim", ["browser", "density", "density_sequence", "regions", "regions_sequence", "color_table"]
)
def test_a_node_deleted_midway_is_made_again(tmp_path, forecast, frames, victim):
    live, (first, second, *others) = LiveForecast(PATIENT), frames()
    live.add(tmp_path, first)
    slicer.mrmlScene.RemoveNode(getattr(live.add(tmp_path, second), victim))
    for frame in others:
        nodes = live.add(tmp_path, frame)
    assert shown_days(nodes)[-1] == pytest.approx(forecast.days[-1])
    shown = show_forecast(forecast)
    assert shown.density_sequence.GetNumberOfDataNodes() == len(forecast.days)
    assert shown.browser.GetProxyNode(shown.density_sequence) is shown.density


def test_what_was_there_when_a_job_stopped_survives_a_scene_file(tmp_path, forecast, frames):
    live = LiveForecast(PATIENT)
    for frame in frames()[:3]:
        live.add(tmp_path, frame)
    save_scene(tmp_path / "stopped.mrb")
    load_scene(tmp_path / "stopped.mrb")
    found = find_forecast(PATIENT)
    assert [found.day(number) for number in range(found.day_count)] == pytest.approx(forecast.days[:3])
    show_forecast(forecast)
    assert find_forecast(PATIENT).day_count == len(forecast.days)
