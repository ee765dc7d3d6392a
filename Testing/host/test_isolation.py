"""The host leaves the process as it found it, so that it can run in one pytest session with everything else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from Testing.host.fixtures import skip_without_host

SAMPLE = Path(__file__).parent / "HostSample" / "HostSample.py"
STAND_INS = (
    "qt",
    "ctk",
    "slicer.i18n",
    "slicer.packaging",
    "slicer.parameterNodeWrapper",
    "slicer.ScriptedLoadableModule",
)


def node_classes() -> list[str]:
    import slicer

    return sorted(
        slicer.mrmlScene.GetNthNode(number).GetClassName() for number in range(slicer.mrmlScene.GetNumberOfNodes())
    )


@pytest.fixture
def headless():
    skip_without_host()
    import slicer

    from Testing.host.host import running_host

    slicer.mrmlScene.Clear(0)
    return slicer, running_host


def test_slicer_is_headless_again(headless):
    slicer, running_host = headless
    application, names, nodes = slicer.app, set(vars(slicer)), node_classes()
    hook, path = sys.excepthook, list(sys.path)
    with running_host() as host:
        host.load_module(SAMPLE)
        assert slicer.util.mainWindow() is host.window
        assert slicer.app is not application
    assert slicer.app is application
    assert slicer.util.mainWindow() is None
    assert slicer.app.layoutManager() is None
    assert set(vars(slicer)) - names <= {"cli"}
    assert node_classes() == nodes
    assert sys.excepthook is hook
    assert sys.path == path
    assert not any(name in sys.modules for name in (*STAND_INS, "HostSample"))


def test_it_can_be_started_again(headless):
    _, running_host = headless
    for _time in range(2):
        with running_host() as host:
            panel = host.load_module(SAMPLE)
            host.type(panel.ui.labelEdit, "again")
            assert panel.parameters.label == "again"


def test_an_error_inside_does_not_keep_it_open(headless):
    slicer, running_host = headless
    application = slicer.app

    def fail() -> None:
        with running_host() as host:
            host.load_module(SAMPLE)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert slicer.app is application


def test_what_a_modules_reload_threw_out_comes_back(headless, tmp_path):
    """Reload deletes the module's library from memory; other tests hold on to the classes they imported."""
    import TumorTwinLib.errors

    _, running_host = headless
    before = TumorTwinLib.errors
    module = tmp_path / "Reloader.py"
    module.write_text(
        "import sys\n"
        "from slicer.ScriptedLoadableModule import *\n"
        "class Reloader(ScriptedLoadableModule): pass\n"
        "class ReloaderWidget(ScriptedLoadableModuleWidget):\n"
        "    def onReload(self):\n"
        "        for name in [name for name in sys.modules if name.split('.')[0] == 'TumorTwinLib']:\n"
        "            del sys.modules[name]\n"
        "        ScriptedLoadableModuleWidget.onReload(self)\n"
        "        import TumorTwinLib.errors\n"
    )
    with running_host() as host:
        host.load_module(module).onReload()
        assert sys.modules["TumorTwinLib.errors"] is not before
    assert sys.modules["TumorTwinLib.errors"] is before
    assert sys.modules["TumorTwinLib"].errors is before


def test_the_users_settings_are_not_touched(headless):
    _, running_host = headless
    with running_host():
        import qt

        settings = qt.QSettings()
        settings.setValue("TumorTwin/Device", "cpu")
        settings.sync()
        assert "tumortwin-settings-" in settings.fileName()
        assert Path(settings.fileName()).is_file()
    assert not Path(settings.fileName()).exists()
