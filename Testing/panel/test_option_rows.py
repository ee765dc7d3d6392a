"""Settings that capabilities register appear by themselves, are kept with the scene and reach the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from TumorTwinLib.jobs import options
from TumorTwinLib.jobs.options import COMPARISON, FORECAST, Choices, Flag, JobOption, Number
from TumorTwinLib.jobs.spec import read_spec

REGIMENS = {"stupp": "Stupp", "none": "No treatment"}
OURS = {option.field: option.valid(None) for option in options.JOB_OPTIONS}  # registered by TumorTwin itself
INTERVALS = JobOption("intervals", "Intervals", "With a band.", FORECAST, Flag())
DRAWS = JobOption("draws", "Draws", "How many.", FORECAST, Number(128, 16, 1024))
LEVEL = JobOption("level", "Level", "Of the band.", FORECAST, Number(0.9, 0.5, 0.99, decimals=2))
COMPARED = JobOption("compared", "Regimens", "To compare.", COMPARISON, Choices(lambda cancer: REGIMENS))


@pytest.fixture
def ui(host, repository, monkeypatch):
    """The panel as it is after four more settings were registered."""
    for option in (INTERVALS, DRAWS, LEVEL, COMPARED):
        options.JOB_OPTIONS.append(option)
    yield host.load_module(repository / "TumorTwin" / "TumorTwin.py").ui
    host.unload_module()
    del options.JOB_OPTIONS[-4:]


def values(panel) -> dict:
    from TumorTwinPanel.option_rows import optionValues

    return optionValues(panel.parameters.options)


def test_each_kind_has_its_widget_and_is_kept(ui, host):
    import qt

    rows, panel = host.widget.panel.options, host.widget.panel
    assert values(panel) == OURS | {"intervals": False, "draws": 128, "level": 0.9, "compared": ()}
    host.click(rows.widget("intervals"))
    host.type(rows.widget("draws"), "64")
    host.type(rows.widget("level"), "0.95")
    host.click(ui.comparisonSection)
    assert rows.widget("compared").item(0).text() == "Stupp"
    rows.widget("compared").item(0).setCheckState(qt.Qt.Checked)
    host.process_events()
    assert values(panel) == OURS | {"intervals": True, "draws": 64, "level": 0.95, "compared": ("stupp",)}
    assert rows.widget("draws").toolTip == "How many."
    assert host.cut_off() == []


def test_values_of_an_older_scene_fall_back(ui, host):
    panel = host.widget.panel
    panel.parameters.options = '{"draws": "many", "level": 7, "compared": 3, "gone": 1}'
    host.process_events()
    assert values(panel) == OURS | {"intervals": False, "draws": 128, "level": 0.99, "compared": ()}
    panel.parameters.options = "{"
    assert values(panel)["draws"] == 128


def test_the_seed_reaches_the_job(panel, host, phantom, tmp_path):
    host.click(panel.ui.advancedSection)
    host.type(panel.panel.options.widget("seed"), "7")
    host.desk.files.append(str(tmp_path))
    host.click(panel.ui.saveJobButton)
    assert read_spec(Path(tmp_path)).seed == 7
