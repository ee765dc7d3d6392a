"""Measured figures round-trip through their files and reach the documentation unchanged."""

from __future__ import annotations

import json
import platform
import re

import pytest

from Testing.Benchmarks import tables
from Testing.Benchmarks.results import RESULTS, Row, machine_description, reached, read, record
from TumorTwinLib.models import glioblastoma


def test_a_row_is_replaced_and_the_others_stay(tmp_path):
    record("solver", "seconds", 2.0, "s", None, "lower", "make bench", folder=tmp_path)
    record("solver", "memory", 12.0, "MiB", 20.0, "lower", "make bench", folder=tmp_path)
    record("solver", "seconds", 1.23456789, "s", 1.5, "lower", "make bench", folder=tmp_path)
    rows = read("solver", folder=tmp_path)
    assert [row["name"] for row in rows] == ["memory", "seconds"]
    assert rows[1]["value"] == 1.23457
    assert rows[1]["target"] == 1.5
    assert set(rows[1]) == set(Row.__annotations__)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", rows[1]["date"])


def test_a_figure_that_is_not_a_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        record("solver", "seconds", float("nan"), "s", None, "lower", "make bench", folder=tmp_path)
    assert read("solver", folder=tmp_path) == []
    with pytest.raises(ValueError, match="better"):
        record("solver", "seconds", 1.0, "s", None, "smaller", "make bench", folder=tmp_path)


def test_the_machine_is_described_without_its_name():
    described = machine_description()
    assert platform.python_version() in described
    assert platform.node() not in described.split()


@pytest.mark.parametrize(
    ("value", "target", "better", "expected"),
    [
        (1, 2, "lower", True),
        (3, 2, "lower", False),
        (1, 2, "higher", False),
        (2, 2, "higher", True),
        (1, None, "lower", None),
    ],
)
def test_reached(tmp_path, value, target, better, expected):
    assert reached(record("a", "x", value, "", target, better, "c", folder=tmp_path)) is expected


def test_tables_show_every_row_and_keep_the_text_around(tmp_path):
    record("solver", "seconds", 1.5, "s", 1.0, "lower", "make bench", folder=tmp_path)
    record("forecast", "dice", 0.91, "", 0.85, "higher", "make study", folder=tmp_path)
    document = tmp_path / "figures.md"
    document.write_text("# Title\n\n<!-- figures -->\nold\n<!-- /figures -->\n\nLast words.\n")
    model_document = tmp_path / "model.md"
    model_document.write_text("<!-- parameters -->\n<!-- /parameters -->\n")
    tables.main(tmp_path, document, model_document)
    text = document.read_text()
    assert "old" not in text
    assert text.startswith("# Title\n")
    assert text.endswith("\nLast words.\n")
    assert "| `seconds` | 1.5 | s | at most 1 | **no** | `make bench` |" in text
    assert "| `dice` | 0.91 |  | at least 0.85 | yes | `make study` |" in text
    assert text.index("### forecast") < text.index("### solver")
    assert "| `proliferation_per_day`" in model_document.read_text()
    tables.main(tmp_path, document, model_document)
    assert document.read_text() == text


def test_the_parameter_table_in_the_docs_is_the_models_own():
    text = tables.MODEL_DOCUMENT.read_text(encoding="utf-8")
    assert tables.parameter_table(glioblastoma.PARAMETERS) in text


def test_a_document_without_markers_is_refused():
    with pytest.raises(ValueError, match="figures"):
        tables.rewrite("no markers", "figures", "")


def test_committed_rows_are_well_formed():
    for path in RESULTS.glob("*.json"):
        rows = json.loads(path.read_text())
        assert rows == sorted(rows, key=lambda row: row["name"])
        for row in rows:
            assert set(row) == set(Row.__annotations__), f"{path.name}: {row}"
