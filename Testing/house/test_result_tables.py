"""Tables behind the figures round-trip through their files, and the page and the plot made of them are well formed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from Testing.Benchmarks import forecast_document
from Testing.Benchmarks.result_tables import read_table, write_table
from Testing.Benchmarks.svg_plot import Series, log_log_svg

REGION = {"predicted_ml": 11.0, "measured_ml": 10.0, "volume_error_percent": 10.0, "dice": 0.9, "com_mm": 1.25}


def test_a_table_round_trips_and_what_is_not_a_number_is_empty(tmp_path):
    write_table("t", [{"a": 1.23456789, "b": float("nan"), "c": "x"}, {"a": 2.0, "b": None, "c": "y"}], folder=tmp_path)
    assert read_table("t", folder=tmp_path) == [{"a": 1.23457, "b": None, "c": "x"}, {"a": 2.0, "b": None, "c": "y"}]
    assert read_table("absent", folder=tmp_path) == []


def test_the_page_shows_forecasts_and_not_fits(tmp_path):
    common = {"case": "p", "ccc": 0.5, "cells_error_percent": 1.0, **REGION}
    rows = [
        {**common, "day": day, "kind": kind, "region": region}
        for day, kind in ((30.0, "fit"), (60.0, "forecast"))
        for region in ("whole_tumor", "core")
    ]
    rows[-1] |= dict.fromkeys(("volume_error_percent", "dice", "com_mm"))  # no core on the last day
    write_table("hgg_forecasts", rows, folder=tmp_path)
    page = forecast_document.text(tmp_path)
    assert "| p | 60 | 11.0 / 10.0 | +10.0 | 0.900 | 1.25 | 11.0 / 10.0 |  |  |  | 0.500 |" in page
    assert "| p | 30 |" not in page


def test_the_committed_page_is_that_of_the_committed_tables():
    assert forecast_document.DOCUMENT.read_text(encoding="utf-8") == forecast_document.text()


def test_a_plot_puts_larger_values_further_right_and_up():
    svg = log_log_svg("Title <1>", "x", "y", [Series("one", [(0.5, 0.02, "a"), (50.0, 0.0003, "b")])])
    circles = ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}circle")
    (x1, y1), (x2, y2) = ((float(c.get("cx")), float(c.get("cy"))) for c in circles)
    decade_across = (x2 - x1) / 2.0
    assert decade_across > 0
    assert x1 == pytest.approx(84 + decade_across * 0.69897, abs=0.2)  # the axis begins at 0.1, log10(5) before 0.5
    assert y2 > y1
