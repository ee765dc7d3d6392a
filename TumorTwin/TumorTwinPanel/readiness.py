"""Why Apply is not possible yet: one sentence for each thing that is missing."""

from __future__ import annotations

from slicer.i18n import tr as _

from TumorTwinLib.mrml.patient_selection import PatientSelection, VisitSelection


def missingInputs(selection: PatientSelection, segments: bool = False) -> list[str]:
    """What stands between a selection of scans and a run; empty when nothing does.

    Args:
        segments: whether the run outlines the tumor itself.
    """
    if not selection.visits:
        return [_("Choose a patient: load a folder, load the sample patient, or find scans in this scene.")]
    reasons = []
    if len(selection.visits) < 2:
        reasons.append(_("Add a second visit: calibration compares at least two."))
    for number, visit in enumerate(selection.visits, start=1):
        reasons += _missingFromVisit(visit, number, segments)
    for number in range(1, len(selection.visits)):
        earlier, later = selection.visits[number - 1].time, selection.visits[number].time
        if earlier and later and later <= earlier:
            text = _("Visit {later} is not after visit {earlier}: correct a date or the order.")
            reasons.append(text.format(later=number + 1, earlier=number))
    if selection.brain_mask is None:
        reasons.append(_("Choose the brain mask."))
    return reasons


def _missingFromVisit(visit: VisitSelection, number: int, segments: bool) -> list[str]:
    reasons = []
    if visit.time is None:
        reasons.append(_("Give visit {number} its date, as in 2024-03-04 09:30.").format(number=number))
    if segments:
        if not visit.images:
            reasons.append(_("Choose an image of visit {number} to segment.").format(number=number))
    elif number == 1 and visit.segmentation is None:
        reasons.append(_("Choose the segmentation of visit 1: the model starts from it."))
    elif visit.segmentation is None and "ADC" not in visit.images:
        reasons.append(_("Choose a segmentation or an ADC map of visit {number}.").format(number=number))
    modalities: dict[str, str] = {}
    for modality, node in visit.images.items():
        if node.GetID() in modalities:
            text = _("{first} and {second} of visit {number} are the same volume.")
            reasons.append(text.format(first=modalities[node.GetID()], second=modality, number=number))
        modalities[node.GetID()] = modality
    return reasons
