"""Combo boxes filled from the library's registries: a new cancer, segmentation model or regimen appears by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.models.registry import CANCERS
from TumorTwinLib.patient.treatment_entry import parse_time
from TumorTwinLib.segmentation.registry import SEGMENTATION_MODELS
from TumorTwinLib.treatment.regimens import REGIMENS

_EXISTING = ""  # the segmentation model that is none: outlines of the scene


class Choices:
    """Shows what is chosen of each registry and tells when the user chooses something else.

    Args:
        ui: widgets of the panel.
        onCancer, onSegmentationModel: called with the name chosen.
        onRegimen: called with the events of a course to add.
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
        for name, model in SEGMENTATION_MODELS.items():
            ui.segmentationModelCombo.addItem(model.title, name)
        for name, regimen in REGIMENS.items():
            ui.regimenCombo.addItem(regimen.title, name)
        ui.segmentationModelCombo.setEnabled(bool(SEGMENTATION_MODELS))
        if not SEGMENTATION_MODELS:
            tip = _("No segmentation model is installed: the segmentation of each visit is used.")
            ui.segmentationModelCombo.setToolTip(tip)
        ui.regimenRow.setVisible(bool(REGIMENS))
        ui.cancerCombo.activated.connect(self.onCancerChosen)
        ui.segmentationModelCombo.activated.connect(self.onSegmentationModelChosen)
        ui.addRegimenButton.clicked.connect(self.onAddRegimen)

    def show(self, cancer: str, segmentationModel: str, regimenStart: datetime | None) -> None:
        """Select what is chosen; nobody is told."""
        self.ui.cancerCombo.setCurrentIndex(self.ui.cancerCombo.findData(cancer))
        index = self.ui.segmentationModelCombo.findData(segmentationModel)
        self.ui.segmentationModelCombo.setCurrentIndex(max(index, 0))  # a scene may name a model that is not here
        if regimenStart and not self.ui.regimenStartEdit.text:
            self.ui.regimenStartEdit.setText(f"{regimenStart:%Y-%m-%d %H:%M}")

    # What the user does

    def onCancerChosen(self, index: int, *_args) -> None:
        self.onCancer(self.ui.cancerCombo.itemData(index))

    def onSegmentationModelChosen(self, index: int, *_args) -> None:
        self.onSegmentationModel(self.ui.segmentationModelCombo.itemData(index))

    def onAddRegimen(self, *_args) -> None:
        regimen = REGIMENS[self.ui.regimenCombo.itemData(self.ui.regimenCombo.currentIndex)]
        try:
            start = parse_time(self.ui.regimenStartEdit.text, _("The regimen"))
        except TumorTwinError as error:
            self.onProblem(str(error))
            return
        self.onRegimen(regimen.events(start))
