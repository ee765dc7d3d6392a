"""Combo boxes filled from the library's registries: a new cancer, segmentation model or regimen appears by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.models.registry import CANCERS
from TumorTwinLib.patient.treatment_entry import parse_time
from TumorTwinLib.segmentation.registry import READY, SegmentationModel, segmentation_models
from TumorTwinLib.treatment import regimens
from TumorTwinLib.treatment.events import TreatmentEvent
from TumorTwinLib.treatment.regimens import Regimen

_EXISTING = ""  # the segmentation model that is none: outlines of the scene


class Choices:
    """Shows what is chosen of each registry and tells when the user chooses something else.

    Args:
        ui: widgets of the panel.
        onCancer, onSegmentationModel: called with the name chosen.
        onRegimen: called with the events of a course to add; may refuse them with a TumorTwinError.
        onProblem: called with a sentence about an entry that was refused.
    """

    def __init__(
        self, ui, *, onCancer: Callable, onSegmentationModel: Callable, onRegimen: Callable, onProblem: Callable
    ) -> None:
        self.ui = ui
        self.onCancer = onCancer
        self.onSegmentationModel = onSegmentationModel
        self.onRegimen = onRegimen
        self.onProblem = onProblem
        for name, cancer in CANCERS.items():
            ui.cancerCombo.addItem(cancer.title, name)
        ui.segmentationModelCombo.addItem(_("Use the segmentations of the visits"), _EXISTING)
        self.models = segmentation_models(organ="brain")
        for name, model in self.models.items():
            title = model.title if model.state == READY else f"{model.title} ({model.state})"
            ui.segmentationModelCombo.addItem(title, name)
        self._regimensOf = ""  # the cancer whose regimens are listed
        try:
            regimens.add_user_regimens()
        except TumorTwinError as error:
            self.onProblem(str(error))
        ui.cancerCombo.activated.connect(self.onCancerChosen)
        ui.segmentationModelCombo.activated.connect(self.onSegmentationModelChosen)
        ui.regimenCombo.currentIndexChanged.connect(self.onRegimenChosen)
        ui.addRegimenButton.clicked.connect(self.onAddRegimen)

    def show(self, cancer: str, segmentationModel: str, regimenStart: datetime | None) -> None:
        """Select what is chosen; nobody is told."""
        self.ui.cancerCombo.setCurrentIndex(self.ui.cancerCombo.findData(cancer))
        index = self.ui.segmentationModelCombo.findData(segmentationModel)
        model = self.models.get(segmentationModel)
        tip = _("Where the tumor outlines come from.")
        self.ui.segmentationModelCombo.setToolTip(" ".join(filter(None, [tip, *_about(model)])))
        self.ui.segmentationModelCombo.setCurrentIndex(max(index, 0))  # a scene may name a model that is not here
        if cancer != self._regimensOf:
            self._regimensOf = cancer
            self._listRegimens(regimens.regimens_for(cancer))
        if regimenStart and not self.ui.regimenStartEdit.text:
            self.ui.regimenStartEdit.setText(f"{regimenStart:%Y-%m-%d %H:%M}")

    def _listRegimens(self, known: Sequence[Regimen]) -> None:
        box = self.ui.regimenCombo
        box.clear()
        for regimen in known:
            box.addItem(regimen.title, regimen.name)
        self.ui.regimenRow.setVisible(bool(known))
        self.ui.regimenLabel.setVisible(bool(known))

    def _regimen(self) -> Regimen | None:
        return regimens.REGIMENS.get(self.ui.regimenCombo.itemData(self.ui.regimenCombo.currentIndex))

    # What the user does

    def onCancerChosen(self, index: int, *_args) -> None:
        self.onCancer(self.ui.cancerCombo.itemData(index))

    def onSegmentationModelChosen(self, index: int, *_args) -> None:
        self.onSegmentationModel(self.ui.segmentationModelCombo.itemData(index))

    def onRegimenChosen(self, *_args) -> None:
        regimen = self._regimen()
        text = _("{description} Source: {source}.")
        fields = {"description": regimen.description, "source": regimen.source.rstrip(".")} if regimen else {}
        self.ui.regimenLabel.setText(text.format(**fields) if regimen else "")

    def onAddRegimen(self, *_args) -> None:
        try:
            self.onRegimen(self._regimenEvents())
        except TumorTwinError as error:
            self.onProblem(str(error))

    def _regimenEvents(self) -> Sequence[TreatmentEvent]:
        start = parse_time(self.ui.regimenStartEdit.text, _("The regimen"))
        return self._regimen().events(start)


def _about(model: SegmentationModel | None) -> tuple[str, ...]:
    return () if model is None else (model.description, model.advice)
