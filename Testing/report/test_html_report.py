"""The report says what the forecast holds, in one file that needs nothing else."""

from __future__ import annotations

import base64
import dataclasses
import re
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Grid
from TumorTwinLib.report.html import PURPOSE, write_report
from TumorTwinLib.report.numbers import change, milliliters, significant

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def forecast() -> Forecast:
    days = np.array([0.0, 30.25, 60.0, 180.0])
    return Forecast(
        patient_id="GBM <1> & co",
        start=datetime(2024, 1, 31, 9, 30),
        days=days,
        grid=Grid.from_spacing((4, 5, 6), (2.0, 2.0, 3.0)),
        cellularity=np.zeros((4, 4, 5, 6), np.float32),
        thresholds={"core": 0.5, "whole_tumor": 0.16},
        volume_mm3={"core": np.array([10000, 8000, 9000, 20000.0]), "whole_tumor": np.array([3e4, 2e4, 2.5e4, 8e4])},
        total_cell_count=np.array([1e9, 8e8, 9e8, 2.5e9]),
        forecast_from_day=30.25,
        measurements=(
            Measurement(0.0, {"core": 10000.0, "whole_tumor": 30000.0}, 1e9),
            Measurement(30.25, {"core": 10000.0}),
            Measurement(45.0, {"core": 9500.0}),
            Measurement(60.0, {"core": 12000.0}),
        ),
        parameters=(
            ParameterValue("diffusivity", "D", 0.0512, "mm2/d", 0.0031, 0.2, "Swanson 2000"),
            ParameterValue("proliferation", "rho", 0.03, "1/d", 0.01, 0.95, "Neal 2013"),
            ParameterValue("alpha", "alpha", 0.05, "1/Gy"),
        ),
        provenance={
            "version": "0.1.0",
            "seed": 0,
            "settings": {"tolerance": 1e-4},
            "inputs": {"visit_1/T1.nii.gz": "sha256 ab12"},
        },
    )


class _Cells(HTMLParser):
    """The tables of a page as lists of rows of text, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables, self.tags, self._cell = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = ""

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(self._cell)
            self._cell = None


@pytest.fixture
def page(forecast, tmp_path) -> str:
    picture = tmp_path / "picture.png"
    picture.write_bytes(PNG)
    figures = {"Three slices <day 180>": picture}
    path = write_report(forecast, tmp_path / "report.html", figures, ["The qform was used."])
    return path.read_text(encoding="utf-8")


def table(page: str, first_heading: str) -> list[list[str]]:
    return next(rows for rows in _Cells(page).tables if rows[0][0] == first_heading)


def test_it_is_one_file_without_outside_help(page, tmp_path):
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "report.html"}
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    pictures = [attributes["src"] for tag, attributes in _Cells(page).tags if tag == "img"]
    assert pictures == ["data:image/png;base64," + base64.b64encode(PNG).decode()]
    assert PURPOSE in page


def test_text_from_outside_is_escaped(page):
    assert "<1>" not in page
    assert "GBM &lt;1&gt; &amp; co" in page
    assert "Three slices &lt;day 180&gt;" in page
    assert "The qform was used." in page


def test_visits_compare_measured_with_modeled(page):
    rows = [row for row in table(page, "Day") if len(row) == 7][1:]
    assert rows[0] == ["0", "2024-01-31", "fit", "Core", "10.0", "10.0", "unchanged"]
    assert rows[1] == ["0", "2024-01-31", "fit", "Whole tumor", "30.0", "30.0", "unchanged"]
    assert rows[2] == ["30.2", "2024-03-01", "fit", "Core", "10.0", "8.0", "-20 %"]
    assert rows[3][2:] == ["prediction", "Core", "9.5", "not computed", ""]
    assert rows[4] == ["60", "2024-03-31", "prediction", "Core", "12.0", "9.0", "-25 %"]


def test_every_output_day_is_in_the_forecast(page):
    rows = next(rows for rows in _Cells(page).tables if rows[0][-1] == "Tumor cells")
    assert rows[0] == ["Day", "Date", "Model is", "Core, mL", "Whole tumor, mL", "Tumor cells"]
    assert [row[0] for row in rows[1:]] == ["0", "30.2", "60", "180"]
    assert rows[-1] == ["180", "2024-07-29", "prediction", "20.0", "80.0", "2.50 × 10⁹"]


def test_parameters_say_whether_the_data_informed_them(page):
    rows = table(page, "Parameter")
    assert rows[1] == ["diffusivity (D)", "0.0512", "0.0031", "mm2/d", "yes", "Swanson 2000"]
    assert rows[2][4] == "no: rests on its prior"
    assert rows[3] == ["alpha (alpha)", "0.05", "", "1/Gy", "not assessed", ""]


def test_headline_compares_with_the_last_measurement(page):
    assert "Core on day 180<strong>20.0 mL</strong><span>+67 % from 12.0 mL on day 60</span>" in page
    assert "Whole tumor on day 180<strong>80.0 mL</strong><span>+167 % from 30.0 mL on day 0</span>" in page


def test_provenance_and_inputs_are_separate(page):
    rows = [row for rows in _Cells(page).tables if rows[0] == ["What", "Value"] for row in rows]
    assert ["visit_1/T1.nii.gz", "sha256 ab12"] in rows
    assert ["settings: tolerance", "0.0001"] in rows
    assert not any(row[0].startswith("inputs") for row in rows)


def test_a_forecast_without_scans_parameters_or_pictures_still_reports(forecast, tmp_path):
    bare = dataclasses.replace(forecast, measurements=(), parameters=(), provenance={})
    page = write_report(bare, tmp_path / "bare.html").read_text(encoding="utf-8")
    assert "Visits" not in page
    assert "Parameters" not in page
    assert "Pictures" not in page
    assert "Core on day 180<strong>20.0 mL</strong>" in page


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"GIF89a", "is not a PNG file")])
def test_a_bad_picture_is_one_sentence_and_leaves_no_file(forecast, tmp_path, content, says):
    picture = tmp_path / "picture.png"
    if content is not None:
        picture.write_bytes(content)
    with pytest.raises(TumorTwinError, match=rf"picture\.png.*{says}"):
        write_report(forecast, tmp_path / "report.html", {"A": picture})
    assert not list(tmp_path.glob("report*"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.05123, "0.0512"),
        (12345.6, "12346"),
        (2.5e9, "2.50 × 10⁹"),
        (1.5e-5, "1.50 × 10⁻⁵"),
        (-3.0, "-3"),
        (float("nan"), "not finite"),
    ],
)
def test_significant(value, text):
    assert significant(value) == text


def test_volumes_and_changes_in_words():
    assert [milliliters(v) for v in (12345.0, 999.0, 4.0, 0.0)] == ["12.3", "1.00", "0.00", "0.00"]
    assert [change(*pair) for pair in ((1.5, 1.0), (1.0, 1.001), (2.0, 0.0), (0.0, 0.0))] == [
        "+50 %",
        "unchanged",
        "from nothing",
        "unchanged",
    ]
