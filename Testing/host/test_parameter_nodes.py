"""Typed parameters in the scene: defaults, checks, containers, packs, saving, and the widgets bound to them."""

import enum
import pathlib
from typing import Annotated

import pytest


class Cancer(enum.Enum):
    GLIOBLASTOMA = 1
    BREAST = 2

    def label(self) -> str:
        return self.name.capitalize()


@pytest.fixture
def wrapped(host):
    """Makes a wrapper class with a fresh parameter node of each annotated class."""
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    def make(cls, node=None):
        wrapper = cls if hasattr(cls, "allParameters") else parameterNodeWrapper(cls)
        return wrapper(node or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))

    return make


@pytest.fixture
def parameters(wrapped):
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange

    class Parameters:
        days: Annotated[int, WithinRange(1, 3650)] = 180
        rate: Annotated[float, Minimum(0.0)]
        name: Annotated[str, Default("run")]
        device: Annotated[str, Choice(["cpu", "cuda"])] = "cpu"
        cancer: Cancer = Cancer.BREAST
        careful: bool
        folder: pathlib.Path
        volume: slicer.vtkMRMLScalarVolumeNode
        volumes: list[slicer.vtkMRMLScalarVolumeNode]
        times: list[float]
        pair: tuple[int, str]
        drugs: dict[str, float]

    return wrapped(Parameters)


def add_volume(name):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_defaults(parameters):
    assert (parameters.days, parameters.rate, parameters.name, parameters.device) == (180, 0.0, "run", "cpu")
    assert parameters.cancer is Cancer.BREAST
    assert parameters.careful is False
    assert parameters.folder == pathlib.Path()
    assert parameters.volume is None
    assert parameters.pair == (0, "")
    assert (list(parameters.times), dict(parameters.drugs)) == ([], {})
    assert parameters.default("days").value == 180


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("days", 0, r"within range \[1, 3650\], is 0"),
        ("days", 1.5, "must be of type"),
        ("days", None, "must not be None"),
        ("rate", -1.0, "at least 0"),
        ("device", "tpu", "one of"),
        ("cancer", "BREAST", "must be of type"),
        ("volume", "volume 1", "must be of type"),
        ("times", 3.0, "must be of type"),
        ("pair", (1,), "must have 2 items"),
    ],
)
def test_wrong_values_are_refused_and_change_nothing(parameters, name, value, message):
    before = getattr(parameters, name)
    with pytest.raises((TypeError, ValueError), match=message):
        setattr(parameters, name, value)
    assert getattr(parameters, name) == before


def test_a_whole_number_may_be_a_rate(parameters):
    parameters.rate = 3
    assert parameters.rate == 3.0


def test_values_are_in_the_node_as_text_and_references(parameters):
    volume = add_volume("FLAIR")
    parameters.cancer = Cancer.GLIOBLASTOMA
    parameters.careful = True
    parameters.volume = volume
    node = parameters.parameterNode
    assert node.GetParameter("cancer") == "GLIOBLASTOMA"
    assert node.GetParameter("careful") == "True"
    assert node.GetNodeReferenceID("volume") == volume.GetID()
    node.SetParameter("days", "30")
    assert parameters.days == 30


def test_containers_write_themselves_back(parameters):
    parameters.times = [1.0, 2.0]
    parameters.times.append(3.0)
    parameters.times[0] = 0.5
    del parameters.times[1]
    assert parameters.times == [0.5, 3.0]
    assert not isinstance(parameters.times, list)
    parameters.drugs = {"temozolomide": 75.0}
    parameters.drugs["bevacizumab"] = 10.0
    assert parameters.drugs == {"temozolomide": 75.0, "bevacizumab": 10.0}
    parameters.volumes = [add_volume("T1"), add_volume("T2")]
    parameters.volumes.pop(0)
    assert [volume.GetName() for volume in parameters.volumes] == ["T2"]
    parameters.pair = (3, "cycles")
    assert parameters.pair == (3, "cycles")


def test_a_removed_node_is_none(parameters):
    import slicer

    parameters.volume = add_volume("FLAIR")
    slicer.mrmlScene.RemoveNode(parameters.volume)
    assert parameters.volume is None


def test_parameters_survive_in_a_saved_scene(parameters, wrapped, tmp_path):
    import slicer

    parameters.days = 90
    parameters.times = [1.0, 2.5]
    parameters.volume = add_volume("FLAIR")
    parameters.volumes = [parameters.volume, None]
    parameters.drugs = {"temozolomide": 75.0}
    parameters.parameterNode.SetName("settings")
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = wrapped(type(parameters), slicer.util.getNode("settings"))
    assert again.days == 90
    assert again.times == [1.0, 2.5]
    assert again.volume.GetName() == "FLAIR"
    assert list(again.volumes) == [again.volume, None]
    assert again.drugs == {"temozolomide": 75.0}


def test_a_node_of_an_older_version_gets_the_new_defaults(wrapped):
    class Old:
        days: int = 30

    class New:
        days: int = 180
        tolerance: float = 0.01

    new = wrapped(New, wrapped(Old).parameterNode)
    assert (new.days, new.tolerance) == (30, 0.01)


def test_closing_the_scene_restores_the_defaults(wrapped):
    import slicer
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class Parameters:
        days: int = 180

    logic = ScriptedLoadableModuleLogic()
    logic.moduleName = "Sample"
    parameters = wrapped(Parameters, logic.getParameterNode())
    parameters.days = 30
    slicer.mrmlScene.Clear(0)
    assert logic.getParameterNode() is parameters.parameterNode
    assert parameters.days == 180


def test_unknown_types_and_names_are_refused(wrapped, parameters):
    class Wrong:
        when: set

    class Reserved:
        parameterNode: int
        connectGui: int

    with pytest.raises(TypeError, match="cannot be of type"):
        wrapped(Wrong)
    with pytest.raises(ValueError, match="reserved name"):
        wrapped(Reserved)
    with pytest.raises(ValueError, match="Cannot find a param with the given name: speed"):
        parameters.dataType("speed")


def test_packs(wrapped):
    from slicer.parameterNodeWrapper import WithinRange, isParameterPack, parameterPack

    @parameterPack
    class Dose:
        gray: Annotated[float, WithinRange(0, 100)] = 60.0
        fractions: int = 30

    @parameterPack
    class Plan:
        dose: Dose
        name: str = "standard"

    class Parameters:
        plan: Plan

    assert isParameterPack(Plan)
    assert Dose(50.0) == Dose(gray=50.0, fractions=30) != Dose()
    assert repr(Dose()) == "Dose(gray=60.0, fractions=30)"
    with pytest.raises(ValueError, match="within range"):
        Dose(gray=101.0)
    with pytest.raises(ValueError, match="no member colour"):
        Dose(colour="red")
    parameters = wrapped(Parameters)
    parameters.plan.dose.fractions = 5
    parameters.setValue("plan.dose.gray", 40.0)
    assert parameters.plan == Plan(Dose(40.0, 5), "standard")
    assert parameters.getValue("plan.dose.gray") == 40.0
    assert parameters.parameterNode.GetParameter("plan.dose.fractions") == "5"
    with pytest.raises(ValueError, match="within range"):
        parameters.plan.dose.gray = -1.0


def test_widgets_follow_and_lead(host, parameters):
    import ctk
    import qt
    import slicer

    volume = add_volume("FLAIR")
    widgets = {
        "days": qt.QSpinBox(),
        "rate": qt.QDoubleSpinBox(),
        "name": qt.QLineEdit(),
        "device": qt.QComboBox(),
        "cancer": qt.QComboBox(),
        "careful": qt.QCheckBox(),
        "folder": ctk.ctkPathLineEdit(),
        "volume": slicer.qMRMLNodeComboBox(),
    }
    widgets["volume"].noneEnabled = True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    parameters.connectParametersToGui(widgets)
    assert (widgets["days"].minimum, widgets["days"].maximum, widgets["days"].value) == (1, 3650, 180)
    assert [widgets["cancer"].itemText(row) for row in range(2)] == ["Glioblastoma", "Breast"]
    parameters.name, parameters.cancer, parameters.folder = "second", Cancer.GLIOBLASTOMA, pathlib.Path("/data")
    parameters.volume, parameters.careful = volume, True
    assert (widgets["name"].text, widgets["cancer"].currentText) == ("second", "Glioblastoma")
    assert (widgets["folder"].currentPath, widgets["careful"].checked) == ("/data", True)
    assert widgets["volume"].currentNode() is volume
    widgets["days"].value = 30
    widgets["device"].currentText = "cuda"
    widgets["careful"].click()
    widgets["volume"].setCurrentNode(None)
    widgets["rate"].value = 2.5
    assert (parameters.days, parameters.device, parameters.rate) == (30, "cuda", 2.5)
    assert parameters.careful is False
    assert parameters.volume is None


@pytest.mark.parametrize(("tracking", "typed"), [(False, 12.75), (True, 12.0)])
def test_typing_into_a_bound_spin_box(host, parameters, tracking, typed):
    """Slicer writes every change back into the box, which then reads "12.00" before the rest is typed."""
    import qt

    box = qt.QDoubleSpinBox(host.window.panel.widget())
    box.keyboardTracking = tracking
    box.show()
    parameters.connectParametersToGui({"rate": box})
    host.type(box, "12.75")
    assert parameters.rate == typed
    box.delete()


def test_a_binding_can_be_undone_by_its_tag_only(parameters):
    import qt

    outer = qt.QWidget()
    box = qt.QSpinBox(outer)
    box.setProperty("SlicerParameterName", "days")
    tag = parameters.connectParametersToGui({"days": box})
    parameters.disconnectGui(tag)
    box.value = 5
    assert parameters.days == 180
    assert parameters.connectGui(outer) is None  # as in Slicer, whose disconnectGui then finds nothing to undo
    box.value = 6
    assert parameters.days == 6


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("days", lambda qt, ctk: qt.QLineEdit(), "Unable to create GUI connector"),
        ("days", lambda qt, ctk: ctk.ctkSliderWidget(), "Unable to create GUI connector"),
        ("rate", lambda qt, ctk: ctk.ctkSliderWidget(), "needs a parameter with both limits"),
        ("name", lambda qt, ctk: qt.QComboBox(), "Choice annotation"),
        ("speed", lambda qt, ctk: qt.QSpinBox(), "Cannot find a param"),
    ],
)
def test_bindings_that_slicer_refuses(parameters, name, make, message):
    import ctk
    import qt

    with pytest.raises((RuntimeError, ValueError), match=message):
        parameters.connectParametersToGui({name: make(qt, ctk)})


def test_many_changes_are_one_event(parameters):
    import slicer

    seen = []
    parameters.AddObserver("ModifiedEvent", lambda *_event: seen.append(True))
    with slicer.util.NodeModify(parameters):
        parameters.days, parameters.name, parameters.times = 1, "x", [1.0, 2.0, 3.0]
    assert seen == [True]
