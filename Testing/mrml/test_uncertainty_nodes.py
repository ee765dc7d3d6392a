"""A forecast with uncertainty in the scene: maps over time, tables, bands; again without piling up; through a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer

from Testing.mrml.conftest import make_forecast, make_patient
from Testing.mrml.test_forecast_nodes import column, node_ids
from Testing.mrml.uncertain import make_posterior, make_uncertain
from TumorTwinLib.mrml.charts import render_chart
from TumorTwinLib.mrml.corner import corner_picture
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.live_forecast import LiveForecast
from TumorTwinLib.mrml.rendering import render_slices
from TumorTwinLib.mrml.result_kinds import MAPS, TABLES
from TumorTwinLib.mrml.scene import load_scene, save_scene
from TumorTwinLib.mrml.shown_forecast import find_forecast
from TumorTwinLib.mrml.shown_patient import show_parameters
from TumorTwinLib.mrml.visits import show_patient
from TumorTwinLib.mrml.volumes import image_from_node
from TumorTwinLib.uncertainty import STEPS

STEP = 2.0**-13


def texts(table, name: str) -> list[str]:
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(row) for row in range(table.GetNumberOfRows())]


def check_maps(forecast, shown) -> None:
    """Every map shows its own field on the day that the browser shows, in place."""
    found = forecast.uncertainty
    fields = {f"density_{percent:02d}": field for percent, field in found.density.items()}
    fields |= {f"probability_{region}": field for region, field in found.probability.items()}
    assert set(fields) | {"density"} == set(shown.maps) == {kind.role for kind in MAPS}
    for number in (0, 3):
        shown.select(number)
        for role, field in fields.items():
            image = image_from_node(shown.maps[role])
            full = image.resample(forecast.grid, order=0).array
            assert np.abs(full - field[number] / STEPS).max() <= STEP
            assert image.unit == "1"


def test_maps_follow_the_browser_of_the_forecast(scene):
    forecast = make_uncertain()
    show_forecast(forecast)
    shown = find_forecast(forecast.patient_id)
    check_maps(forecast, shown)
    assert shown.maps["probability_core"].GetName() == "VGBM_001 probability of tumor core"
    assert shown.maps["density_05"].GetName() == "VGBM_001 tumor cell density, 5 % quantile"
    legends = {role: shown.legend(role) for role in shown.maps}
    assert legends["probability_core"].GetTitleText() == "Probability of tumor core\n(share of futures)"
    assert [role for role, legend in legends.items() if legend.GetVisibility()] == ["density"]


def test_the_posterior_table_says_what_the_scans_tell(scene):
    table = show_forecast(make_uncertain()).uncertainty.posterior_table
    posterior = make_posterior()
    assert texts(table, "data") == ["informed", "prior-dominated"]
    assert texts(table, "unit") == ["mm2/day", "1/day"]
    for name in ("median", "lower", "upper", "sd_ratio", "divergence", "prior_lower", "prior_upper"):
        assert column(table, name) == pytest.approx([getattr(row, name) for row in posterior.rows])
    assert column(table, "k_hat") == pytest.approx([0.31, 0.31])
    assert column(table, "effective") == pytest.approx([120.0, 120.0])
    assert np.isnan(column(table, "r_hat")).all()


def test_the_interval_table_has_raw_and_calibrated_of_every_predicted_day(scene):
    forecast = make_uncertain()
    table = show_forecast(forecast).uncertainty.interval_table
    assert sorted(set(column(table, "day"))) == [120.0, 180.0]
    assert list(dict.fromkeys(texts(table, "interval"))) == [
        "90 % interval, raw", "95 % interval, raw", "90 % interval, calibrated",
    ]  # fmt: skip
    assert table.GetNumberOfRows() == 2 * 2 * 3
    assert set(texts(table, "region")) == {"Whole tumor", "Tumor core"}
    band = forecast.uncertainty.volume_mm3["whole_tumor"][1]
    assert column(table, "lower")[1] == pytest.approx(band.lower[forecast.uncertainty.days == 120.0][0] / 1000)
    assert table.GetTable().GetColumnByName("upper") is not None
    assert table.GetColumnUnitLabel("upper") == "mL"
    assert (column(table, "lower") < column(table, "median")).all()
    assert (column(table, "median") < column(table, "upper")).all()


@pytest.mark.parametrize(("calibrated", "kind"), [(True, "calibrated"), (False, "raw")])
def test_the_chart_has_a_band_and_says_of_which_kind(scene, calibrated, kind):
    forecast = make_uncertain(calibrated=calibrated)
    nodes = show_forecast(forecast)
    chart = nodes.volume_chart
    series = {
        node.GetName(): node
        for node in (chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes()))
    }
    for name in (f"Whole tumor, 5 % ({kind})", f"Whole tumor, 95 % ({kind})", "Whole tumor, median"):
        assert name in series
    upper, lower = series[f"Whole tumor, 95 % ({kind})"], series[f"Whole tumor, 5 % ({kind})"]
    high, low = (column(node.GetTableNode(), node.GetYColumnName()) for node in (upper, lower))
    band = forecast.uncertainty.volume_mm3["whole_tumor"][2 if calibrated else 0]
    assert high == pytest.approx(band.upper / 1000, nan_ok=True)
    assert low == pytest.approx(band.lower / 1000, nan_ok=True)
    assert upper.GetAttribute("TumorTwin.DownTo") == lower.GetYColumnName()
    assert "Whole tumor, 95 % before" in {
        nodes.prior_chart.GetNthPlotSeriesNode(n).GetName()
        for n in range(nodes.prior_chart.GetNumberOfPlotSeriesNodes())
    }


def test_again_refills_and_a_run_without_uncertainty_removes(scene):
    show_forecast(make_uncertain())
    before = node_ids(scene)
    changed = make_uncertain((0.0, 30.0, 60.1875, 120.0, 150.0))
    nodes = show_forecast(changed)
    assert node_ids(scene) == before
    assert max(column(nodes.uncertainty.interval_table, "day")) == 150.0
    show_forecast(make_forecast())
    shown = find_forecast("VGBM_001")
    assert set(shown.maps) == {"density"}
    assert "posterior" not in shown.tables
    assert "prior_chart" not in shown.charts
    assert not slicer.util.getNodesByClass("vtkMRMLVectorVolumeNode")
    plain = len(node_ids(scene))
    show_forecast(make_uncertain())
    assert find_forecast("VGBM_001").maps.keys() == {kind.role for kind in MAPS}
    show_forecast(make_forecast())
    assert len(node_ids(scene)) == plain


def test_a_new_run_takes_maps_and_intervals_away_before_its_own_are_there(scene, tmp_path):
    from TumorTwinLib.jobs.frames import FrameFolder

    forecast = make_uncertain()
    show_forecast(forecast)
    frame = FrameFolder(tmp_path, forecast.grid, "x").write(0.0, forecast.cellularity[0])
    LiveForecast(forecast.patient_id).add(tmp_path, frame)
    shown = find_forecast(forecast.patient_id)
    assert set(shown.maps) == {"density"}
    for kind in TABLES:
        table = shown.tables.get(kind.role)
        assert table is None or table.GetNumberOfRows() == 0, kind.role
    show_forecast(forecast)
    check_maps(forecast, find_forecast(forecast.patient_id))


def test_everything_survives_a_scene_file_and_is_refilled_there(scene, tmp_path):
    forecast = make_uncertain()
    show_forecast(forecast)
    save_scene(tmp_path / "forecast.mrb")
    scene.Clear(0)
    load_scene(tmp_path / "forecast.mrb")
    check_maps(forecast, find_forecast(forecast.patient_id))
    count = len(node_ids(scene))
    show_forecast(forecast)
    check_maps(forecast, find_forecast(forecast.patient_id))
    assert len(node_ids(scene)) == count


def test_the_corner_plot_shows_where_draws_lie():
    posterior = make_posterior()
    picture = corner_picture(posterior, "patient").pixels
    other = {name: x[::-1].copy() if name.startswith("d") else x for name, x in posterior.draws.items()}
    unrelated = corner_picture(replace(posterior, draws=other), "patient").pixels
    blue = (np.abs(picture.astype(int) - (86, 180, 233)).sum(axis=2) < 40).astype(int)
    rows, columns = np.nonzero(blue[300:470, 128:310])
    assert np.corrcoef(rows, columns)[0, 1] < -0.3  # rows count down: the two parameters grow together
    rows, columns = np.nonzero((np.abs(unrelated.astype(int) - (86, 180, 233)).sum(axis=2) < 40)[300:470, 128:310])
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.2


def test_the_corner_plot_is_a_color_volume(scene):
    volume = show_forecast(make_uncertain()).uncertainty.corner
    pixels = corner_picture(make_posterior(), "VGBM_001").pixels
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volume)[0], pixels)


def test_a_calibration_alone_has_its_posterior_table(scene):
    table, posterior_table = show_parameters("P", make_forecast().parameters, make_posterior())
    assert texts(posterior_table, "data") == ["informed", "prior-dominated"]
    before = node_ids(scene)
    show_parameters("P", make_forecast().parameters, make_posterior())
    assert node_ids(scene) == before
    again, none = show_parameters("P", make_forecast().parameters)
    assert again is table
    assert none is None
    assert scene.GetNodeByID(posterior_table.GetID() or "gone") is None


@pytest.mark.usefixtures("needs_graphics")
def test_pictures_of_band_and_probability(scene, tmp_path):
    forecast = make_uncertain(calibrated=False)
    visits = show_patient(make_patient())
    nodes = show_forecast(forecast)
    with_band = picture_of(nodes.volume_chart, tmp_path)
    for number in range(nodes.volume_chart.GetNumberOfPlotSeriesNodes()):
        nodes.volume_chart.GetNthPlotSeriesNode(number).SetAttribute("TumorTwin.DownTo", None)
    assert (with_band != picture_of(nodes.volume_chart, tmp_path)).any(axis=2).sum() > 5000  # the band is filled
    render_chart(nodes.prior_chart, tmp_path / "small.png", size=(300, 220))  # the legend leaves room for the curves
    path = render_slices(
        tmp_path / "probability.png", anatomy=visits.anatomy(180.0),
        density=nodes.uncertainty.maps["probability_whole_tumor"], regions=nodes.regions, title="P",
        scale=("Probability of tumor", "share of futures"),
    )  # fmt: skip
    assert path.stat().st_size > 50_000


def picture_of(chart, folder) -> np.ndarray:
    import vtk
    from vtk.util import numpy_support

    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(render_chart(chart, folder / "chart.png")))
    reader.Update()
    image = reader.GetOutput()
    width, height, _ = image.GetDimensions()
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1).copy()


def test_the_halves_of_a_run_with_uncertainty(scene):
    """The posterior is kept as long as its result lives, and forecast without sampling anything again."""
    from Testing.jobs.conftest import make_patient as make_small_patient
    from TumorTwinLib.errors import TumorTwinError
    from TumorTwinLib.mrml.logic import TumorTwinLogic

    logic = TumorTwinLogic()
    job = logic.jobSpec(
        make_small_patient(), horizonDays=20, frame_every_days=10.0, resolution_mm=4.0, bayesian=True,
        n_samples=100, n_futures=16,
    )  # fmt: skip
    fitted = logic.calibrate(job)
    assert texts(fitted.posteriorTable, "parameter") == [row.name for row in fitted.posterior.rows]
    assert fitted.sequenceNode is None
    runs = {path: path.stat().st_mtime_ns for path in fitted.folder.rglob("checkpoint/*/*.npy")}
    predicted = logic.predict(job, fitted)
    assert {path: path.stat().st_mtime_ns for path in fitted.folder.rglob("checkpoint/*/*.npy")} == runs
    assert set(predicted.nodes.uncertainty.maps) | {"density"} == {kind.role for kind in MAPS}
    assert predicted.posterior.rows == fitted.posterior.rows
    with pytest.raises(TumorTwinError, match=r"not of Lékař 7 with these settings: calibrate this job first"):
        logic.predict(job.changed(resolution_mm=5.0), fitted)
    folder = fitted.folder
    assert (folder / "posterior" / "posterior.json").is_file()
    del fitted
    assert not folder.exists()
