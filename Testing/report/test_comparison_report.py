"""The report's part on compared regimens: verdict in words, numbers, curves, calendars, in the same single file."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from Testing.mrml.compared import NAMES, make_comparison
from Testing.report.test_html_report import _Cells, forecast, table
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.report.html import write_report

__all__ = ["forecast"]


@pytest.fixture
def record(forecast) -> ComparisonRecord:
    return make_comparison(forecast)


@pytest.fixture
def page(forecast, record, tmp_path) -> str:
    return write_report(forecast, tmp_path / "report.html", comparison=record).read_text(encoding="utf-8")


def test_the_verdict_comes_first_and_abstains_in_words(page, record):
    section = page[page.index("<h2>Comparison of regimens</h2>") :]
    verdict = re.search(r'<p class="verdict">(.*?)</p>', section)[1]
    assert verdict.startswith("The regimens are not distinguishable with these data.")
    assert verdict.endswith(DISCLAIMER)
    assert section.index('class="verdict"') < section.index("<table>")
    assert "Stupp rests on the prior &lt;only&gt;." in section


def test_numbers_are_those_of_the_comparison(page, record):
    comparison = record.comparison
    head, *rows = table(page, "Regimen")
    assert [row[0] for row in rows] == [comparison[name].title for name in (*NAMES, "untreated")]
    estimate = comparison["gbm_stupp"].estimate("days_gained")
    assert rows[1][head.index("Days gained")] == f"{estimate.median:.0f} ({estimate.lower:.0f} to {estimate.upper:.0f})"
    assert rows[-1][head.index("P(best)")] == ""
    pairs = table(page, "Regimens")[1:]
    assert [row[-2] for row in pairs] == ["no", "yes", "no"]
    assert pairs[0][-1] == "Tmz sensitivity per day"


def test_curves_are_drawn_and_well_formed(page):
    drawings = [
        ElementTree.fromstring(svg) for svg in re.findall(r'<figure class="curves">(.*?)<figcaption>', page, re.DOTALL)
    ]
    curves, timeline = drawings
    window = curves.find("svg")  # which cuts off what leaves the axes
    left, top, width, height = map(float, window.get("viewBox").split())
    assert len(window.findall("polyline")) == len(window.findall("polygon")) == 4
    for line in (*window.findall("polyline")[:3], *window.findall("polygon")[:3]):
        for x, y in (map(float, point.split(",")) for point in line.get("points").split()):
            assert left <= x <= left + width
            assert top <= y <= top + height
    assert len(timeline.findall("circle")) > 40  # doses of temozolomide
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)


def test_a_calendar_a_regimen_with_like_weeks_as_one_row(page, record):
    calendars = [rows for rows in _Cells(page).tables if rows[0][0] == "Week from"]
    assert len(calendars) == len(NAMES)
    radiotherapy = calendars[0][1:]
    assert [row[0] for row in radiotherapy] == ["2024-03-04, 6 weeks"]
    assert radiotherapy[0][1:6] == ["2 Gy"] * 5
    assert all(row[6:] == ["", ""] for row in radiotherapy)  # nothing on weekends


def test_no_comparison_no_section(forecast, tmp_path):
    page = write_report(forecast, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Comparison of regimens" not in page
    assert "Calendars" not in page
