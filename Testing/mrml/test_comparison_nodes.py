"""A comparison of regimens in the scene: numbers with units, bands, timeline, maps that follow the forecast's day."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from Testing.mrml.compared import NAMES, make_comparison
from Testing.mrml.conftest import make_forecast
from TumorTwinLib.mrml.charts import render_chart
from TumorTwinLib.mrml.comparison import show_comparison
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.plots import BAND_ATTRIBUTE
from TumorTwinLib.mrml.scene import save_scene
from TumorTwinLib.mrml.shown_forecast import find_forecast
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.uncertainty import STEPS

PATIENT = "VGBM_001"


@pytest.fixture
def record(forecast):
    return make_comparison(forecast)


@pytest.fixture
def nodes(record, forecast):
    show_forecast(forecast)
    return show_comparison(record)


def column(table, name: str) -> list:
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(row) for row in range(values.GetNumberOfValues())]


def test_the_table_has_a_row_a_regimen_and_units(nodes, record):
    comparison = record.comparison
    titles = [comparison[name].title for name in (*NAMES, "untreated")]
    assert column(nodes.table, "regimen") == titles
    assert column(nodes.table, "final_ml")[-1] == pytest.approx(
        comparison.untreated.estimate("final_mm3").median / 1000
    )
    assert nodes.table.GetColumnUnitLabel("time_to_progression_days") == "d"
    assert nodes.table.GetColumnTitle("final_ml") == "Volume at horizon (mL)"
    assert np.isnan(column(nodes.table, "probability_best")[-1])  # the control does not take part
    assert sum(column(nodes.table, "probability_best")[:3]) == pytest.approx(1.0)
    assert column(nodes.table, "rests_on_prior_of")[1] == "tmz_sensitivity_per_day"
    assert column(nodes.pair_table, "told_apart") == ["no", "yes", "no"]


def test_the_verdict_abstains_in_words_and_disclaims(nodes, record):
    first, *notes = nodes.verdict.GetText().splitlines()
    assert first == record.comparison.sentence
    assert "not distinguishable with these data" in first
    assert "tmz_sensitivity_per_day: no scan has seen that effect" in first
    assert DISCLAIMER in first
    assert notes[0] == DISCLAIMER
    assert find_forecast(PATIENT).verdict == (first, *notes)


def test_the_chart_has_a_band_and_a_median_a_regimen(nodes, record):
    chart = nodes.chart
    series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    assert len(series) == 3 * 4
    medians = [one.GetName() for one in series if not one.GetName().endswith("%")]
    assert medians == [record.comparison[name].title for name in (*NAMES, "untreated")]
    assert [bool(one.GetAttribute(BAND_ATTRIBUTE)) for one in series[3:7]] == [False, True, False, True]
    assert "in-silico research" in chart.GetTitle()
    table = series[0].GetTableNode()
    upper, median = (np.array(column(table, f"regimen_1_{bound}")) for bound in ("upper", "median"))
    assert (upper >= median).all()
    np.testing.assert_allclose(median, record.comparison["gbm_stupp"].volume["core"].median / 1000)


def test_the_timeline_has_a_point_an_event(nodes, record):
    chart = nodes.timeline
    series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    given = {one.GetName(): one.GetTableNode().GetNumberOfRows() for one in series}
    stupp = record.comparison["gbm_stupp"].title
    assert given[f"{stupp}: radiotherapy"] == 30
    assert given[f"{stupp}: temozolomide"] == len(record.courses["gbm_stupp"]) - 30
    assert column(series[0].GetTableNode(), "given")[0] == "2 Gy"
    assert 0 < column(series[0].GetTableNode(), "day")[0] < 5


def test_maps_follow_the_day_of_the_forecast(nodes, record, forecast):
    found = find_forecast(PATIENT)
    assert list(nodes.maps) == [*NAMES, "untreated"]
    titles = [kind.title for kind in found.map_kinds if kind.role in found.maps]
    assert titles[1] == f"Density, {record.title(NAMES[0])}"
    assert titles[-1] == "Density, No further treatment"
    for number in (len(forecast.days) - 1, 2):
        found.select(number)
        shown = slicer.util.arrayFromVolume(nodes.maps["gbm_stupp"])
        expected = record.density["gbm_stupp"][number - 2] / STEPS
        assert shown.max() == pytest.approx(expected.max(), abs=2e-4)
        assert shown.sum() == pytest.approx(expected.sum(), rel=1e-3)


def test_another_comparison_refills_the_nodes(nodes, forecast):
    before = {nodes.table.GetID(), nodes.chart.GetID(), nodes.maps[NAMES[0]].GetID()}
    again = show_comparison(make_comparison(forecast, NAMES[:2]))
    assert {again.table.GetID(), again.chart.GetID(), again.maps[NAMES[0]].GetID()} == before
    assert again.table.GetNumberOfRows() == 3
    assert again.chart.GetNumberOfPlotSeriesNodes() == 9
    kinds = find_forecast(PATIENT).map_kinds
    assert sum(kind.role.startswith("regimen") for kind in kinds) == 3
    show_forecast(make_forecast())  # another forecast leaves the comparison alone
    assert find_forecast(PATIENT).tables["comparison"] is again.table


def test_a_scene_keeps_it(nodes, tmp_path):
    save_scene(tmp_path / "compared.mrb")
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "compared.mrb"))
    found = find_forecast(PATIENT)
    assert found.tables["comparison"].GetNumberOfRows() == 4
    assert "not distinguishable" in found.verdict[0]
    assert sum(role.startswith("regimen_density") for role in found.maps) == 4
    assert {"comparison_chart", "timeline_chart"} <= set(found.charts)


@pytest.mark.usefixtures("needs_graphics")
def test_the_charts_can_be_drawn(nodes, tmp_path):
    for chart in (nodes.chart, nodes.timeline):
        assert render_chart(chart, tmp_path / f"{chart.GetID()}.png").stat().st_size > 5000
