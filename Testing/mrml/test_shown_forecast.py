"""A forecast is found again in its scene, whole or not."""

import pytest

from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.run_nodes import RunNodes
from TumorTwinLib.mrml.scene import load_scene, save_scene
from TumorTwinLib.mrml.shown_forecast import find_forecast


def test_there_is_none_before_it_is_shown():
    assert find_forecast("VGBM_001") is None


def test_a_forecast_is_found_with_its_days(forecast):
    nodes = show_forecast(forecast)
    found = find_forecast(forecast.patient_id)
    assert (found.browser, found.density, found.regions) == (nodes.browser, nodes.density, nodes.regions)
    assert found.tables == {"table": nodes.table, "parameters": nodes.parameter_table}
    assert found.charts == {"volume_chart": nodes.volume_chart, "cell_count_chart": nodes.cell_count_chart}
    assert found.maps == {"density": nodes.density}
    assert [found.day(number) for number in range(found.day_count)] == pytest.approx(forecast.days)
    assert found.selected == len(forecast.days) - 1
    assert (found.phase(0), found.phase(4)) == ("fit", "prediction")
    assert found.date(1).startswith("2024-03-31")
    assert found.legend("density").GetTitleText().startswith("Tumor cell density")
    found.select(1)
    assert nodes.browser.GetSelectedItemNumber() == 1
    assert find_forecast(forecast.patient_id, "another run") is None
    assert find_forecast("another patient") is None


def test_a_forecast_is_found_in_an_opened_scene(forecast, tmp_path):
    show_forecast(forecast)
    load_scene(save_scene(tmp_path / "scene.mrb"))
    found = find_forecast(forecast.patient_id)
    assert found.day_count == len(forecast.days)
    assert found.density.GetName() == "VGBM_001 tumor cell density"
    assert found.regions.GetName() == "VGBM_001 predicted regions"
    assert found.phase(0) == "fit"


def test_what_was_deleted_is_missing(forecast, scene):
    nodes = show_forecast(forecast)
    scene.RemoveNode(nodes.table)
    scene.RemoveNode(nodes.volume_chart)
    found = find_forecast(forecast.patient_id)
    assert list(found.tables) == ["parameters"]
    assert list(found.charts) == ["cell_count_chart"]
    assert (found.phase(0), found.date(0)) == ("", "")
    scene.RemoveNode(nodes.density_sequence)
    assert find_forecast(forecast.patient_id).density is None


def test_a_comparison_is_found(forecast):
    show_forecast(forecast)
    table = RunNodes(forecast.patient_id, "TumorTwin").get("vtkMRMLTableNode", "comparison", "Regimens")
    assert find_forecast(forecast.patient_id).tables["comparison"] is table
