"""What the panel keeps in the scene, so that a saved scene restores it.

Which nodes are the patient's scans is kept in the same node by ``TumorTwinLib.mrml.patient_selection``; what belongs to
the computer and not to the scene (device, folders) is in the application settings.
"""

from typing import Annotated

from slicer.parameterNodeWrapper import Choice, Decimals, SingleStep, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from TumorTwinLib.models.registry import CANCERS

MODULE = "TumorTwin"


@parameterNodeWrapper
class _Parameters:
    cancer: Annotated[str, Choice(list(CANCERS))] = next(iter(CANCERS))
    segmentationModel: str = ""
    treatments: str = ""
    bodySurfaceM2: Annotated[float, WithinRange(0.0, 4.0), Decimals(2), SingleStep(0.05)] = 0.0
    horizonDays: Annotated[int, WithinRange(1, 3650)] = 180
    outputEveryDays: Annotated[int, WithinRange(1, 365)] = 30
    resolutionMm: Annotated[float, WithinRange(0.5, 10.0), Decimals(1), SingleStep(0.5)] = 2.0
    tolerance: Annotated[float, WithinRange(1e-5, 0.1), Decimals(5), SingleStep(0.001)] = 0.001
    calibrationVisits: Annotated[int, WithinRange(0, 99)] = 0
    options: str = ""
    resultPatient: str = ""
    jobFolder: str = ""
    shownMap: str = "density"
    densityVisible: bool = True
    densityOpacity: Annotated[float, WithinRange(0.0, 1.0), Decimals(2), SingleStep(0.05)] = 0.6
    legendVisible: bool = True
    show3D: bool = True


class PanelParameters(_Parameters):
    """Settings of a run and of the view on its results.

    ``treatments`` is the text of a treatment.csv without its heading, ``options`` the JSON of ``option_rows``.
    ``resultPatient`` is whose forecast is shown.

    Binding to widgets observes the node and never lets go. Once Python has collected this object, the node's next
    change would crash Slicer: call ``release`` first.
    """

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        tag = _Parameters.AddObserver(self, event, callback, priority)
        vars(self).setdefault("_observerTags", []).append(tag)
        return tag

    def release(self) -> None:
        """Stop observing the node."""
        for tag in vars(self).pop("_observerTags", []):
            self.RemoveObserver(tag)


def sceneParameters() -> PanelParameters:
    """The parameters of the open scene, with their defaults where it has none yet."""
    logic = ScriptedLoadableModuleLogic()
    logic.moduleName = MODULE
    return PanelParameters(logic.getParameterNode())
