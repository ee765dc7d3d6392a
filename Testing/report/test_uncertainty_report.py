"""The report of a forecast with uncertainty: intervals named for what they are, and what the data informed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from Testing.report.test_html_report import _Cells, forecast
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.report.html import INTERVAL_LIMIT, LIMITS, write_report
from TumorTwinLib.uncertainty import Band, ParameterRow, PosteriorSummary, Uncertainty

__all__ = ["forecast"]


@pytest.fixture
def uncertain(forecast) -> Forecast:
    days = np.array([0.0, 30.25, 60.0, 120.0, 180.0])

    def band(level: float, calibrated: bool = False) -> Band:
        return Band(level, 100.0 * days, (100.0 - 50 * level) * days, (100.0 + 100 * level) * days, calibrated)

    bands = {region: (band(0.9), band(0.95), band(0.9, True)) for region in forecast.thresholds}
    rows = (
        ParameterRow("diffusivity", "D", "mm2/d", 0.05, 0.02, 0.1, 0.005, 0.5, 0.31, 1.2, None, "Swanson 2000"),
        ParameterRow("proliferation", "rho", "1/d", 0.03, 0.01, 0.09, 0.01, 0.1, 0.95, 0.01, 1.012, "Neal 2013"),
    )
    posterior = PosteriorSummary(rows, ("1000 draws by importance sampling; Pareto k-hat 0.21 & more.",))
    found = Uncertainty(64, days, bands, (), {}, {}, {}, "40 virtual patients")
    return replace(forecast, posterior=posterior, uncertainty=found)


def section(page: str, title: str) -> str:
    return page.split(f"<h2>{title}</h2>")[1].split("</section>", maxsplit=1)[0]


def test_parameters_with_intervals_and_what_the_data_informed(uncertain, tmp_path):
    page = write_report(uncertain, tmp_path / "report.html").read_text(encoding="utf-8")
    text = section(page, "Posterior")
    (table,) = _Cells(text).tables
    assert table[1] == ["diffusivity (D)", "0.05", "0.02 to 0.1", "0.005 to 0.5", "mm2/d", "yes", "0.31", ""]
    assert table[2][5:] == ["no: rests on its prior", "0.95", "1.012"]
    assert "Pareto k-hat 0.21 &amp; more." in text


def test_intervals_are_named_raw_and_calibrated(uncertain, tmp_path):
    page = write_report(uncertain, tmp_path / "report.html").read_text(encoding="utf-8")
    text = section(page, "Intervals")
    (table,) = _Cells(text).tables
    assert table[0][3:] == ["Median, mL", *(f"{level} % interval, {kind}, mL" for level, kind in (
        (90, "raw"), (95, "raw"), (90, "calibrated")))]  # fmt: skip
    assert [row[0] for row in table[1:]] == ["60", "60", "180", "180"]  # predicted days alone
    assert table[3][3:] == ["18.0", "9.9 to 34.2", "9.4 to 35.1", "9.9 to 34.2"]
    assert "Of 64 equally probable futures" in text
    assert "Calibrated on 40 virtual patients." in text
    limits = section(page, "Limits")
    assert INTERVAL_LIMIT in limits
    assert LIMITS[0] not in limits


def test_without_uncertainty_neither_is_there(forecast, tmp_path):
    page = write_report(forecast, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Posterior</h2>" not in page
    assert "<h2>Intervals</h2>" not in page
    assert LIMITS[0] in page
