"""What a series is (T1, T1CE, FLAIR, PET ...), from DICOM tags and names, with the evidence for it.

Three witnesses are heard: what people wrote (description, protocol, file name), what the scanner did (echo, repetition
and inversion time) and what the tags name (image type, contrast agent, tracer, b-value). When they agree the
confidence is high, when they contradict each other it is low; the user confirms either way.
Limits of TE, TR and TI are those of clinical spin-echo and gradient-echo protocols at 1.5 and 3 T (Bernstein, King and
Zhou, Handbook of MRI Pulse Sequences, 2004).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.dicom_headers import Plane
from TumorTwinLib.roles import VISIT_RANKS, role_of

MODALITIES = ("T1", "T1CE", "T2", "FLAIR", "ADC", "DCE", "CT", "PET", "PSMA")
CONFIDENCES = ("low", "medium", "high")

# The first pattern found in the words decides. Kinds that are not in MODALITIES are known and left out.
_KINDS: tuple[tuple[str, str], ...] = (
    ("localizer", r"\b(loc|local\w*|scout|pilot|survey|topogram|surview|3 ?plane|aahead\w*)\b"),
    ("calibration", r"\b(calibration|b0 ?map|field ?map\w*)\b"),
    ("subtraction", r"\b(sub|subtr\w*)\b"),
    ("diffusion map", r"\b(eadc|exponential|fa|colfa|fractional aniso\w*)\b"),
    ("ADC", r"\b(d?adc\w*|apparent diff\w*)\b"),
    ("DWI", r"\b(dwi|diff\w*|trace\w*|dti|dki|hardi|tensor|b ?\d{3,4}|b0)\b"),
    ("DCE", r"\b(dce|dyn|dynamic\w*|twist|disco)\b"),
    ("perfusion", r"\b(dsc|perf\w*|p?c?asl|r?cbv|cbf|mtt|ttp|tmax|ktrans|kep|pwi)\b"),
    ("SWI", r"\b(swi|swan|t2star\w*|t2 star|hemo\w*|suscept\w*|venobold|qsm|m?ip|minip|phase)\b"),
    ("angiography", r"\b(tof|mra|mrv|angio\w*|venog\w*)\b"),
    ("spectroscopy", r"\b(mrs|csi|svs|spectro\w*)\b"),
    ("fMRI", r"\b(bold|fmri|rest|resting\w*)\b"),
    ("STIR", r"\bstir\b"),
    ("T1", r"(?:^|[^a-z]|\dd)t1[a-z]* flair"),
    ("FLAIR", r"flair|dark ?fl|\bt2f\b|\bfla\b"),
    ("T1", r"(?:^|[^a-z]|\dd)t1(?!\d)|mp ?rage|bravo|fspgr|\bspgr|\bvibe|\blava|\bthrive"),
    ("T2", r"(?:^|[^a-z]|\dd)t2(?!\d)"),
    ("PD", r"\bpd"),
)
_OTHER_SCANNERS: tuple[tuple[str, str], ...] = (
    ("PSMA", r"psma|dcfpyl|piflufolastat|flotufolastat"),
    ("PET", r"\b(pet|suv\w*|fdg|fet)\b"),
    ("CT", r"\bct\b"),
)
_CONTRAST = re.compile(
    r"\b(post(?!er)\w*|gd\w*|gad\w*|ce|contrast\w*|enhanced|km|mdc|c(?! sp))\b|t1w?(c|ce|gd|post|km)\b"
)
_NO_CONTRAST = re.compile(
    r"\b(pre|pre(?:con|gd|gad|km)\w*|nativ\w*|without|wo|non?|ohne|sans|unenhanced|plain)\b|\bt1n\b"
)
_SURGERY = re.compile(r"\b(pre|post) ?op\w*")
_NO_AGENT = {"no", "none", "n", "0", "without", "no contrast", "nein", "n/a"}
_UNCORRECTED = re.compile(r"\b(nac|uncorrected|no ?ac)\b")


@dataclass(frozen=True)
class Recognition:
    """What a series seems to be.

    Args:
        modality: one of ``MODALITIES``, another kind that is left out (``"DWI"``, ``"localizer"``), a segmentation or
            region of ``roles``, or empty when nothing tells.
        confidence: one of ``CONFIDENCES``.
        evidence: what was seen, for the user.
    """

    modality: str
    confidence: str
    evidence: tuple[str, ...]


def recognize_dicom(facts: Mapping[str, Any], plane: Plane, time_points: int = 1) -> Recognition:
    """The modality of a DICOM series.

    Args:
        facts: of its first file.
        plane: any of its planes.
        time_points: volumes of one contrast that it holds.
    """
    scanner = str(facts.get("Modality", ""))
    if scanner == "CT":
        return _recognize_ct(facts, plane, time_points)
    if scanner == "PT":
        return _recognize_pet(facts, time_points)
    if scanner != "MR":
        return Recognition("other", "high", (f"Modality is {scanner or 'absent'}",))
    return _recognize_mr(facts, plane, time_points)


def recognize_name(name: str) -> Recognition:
    """The modality that a file's name tells, by the house's names (``roles``) and the words of DICOM descriptions."""
    try:
        role = role_of(name, VISIT_RANKS, name)
    except TumorTwinError as error:
        return Recognition("", "low", (str(error),))
    words = _words(re.sub(r"^sub-[^_]+_", "", name))  # BIDS begins with the subject
    evidence = (f"name '{name}'",)
    if role in ("T1", "T2"):  # names such as ce-gadolinium_T1w, T2star
        role = _kind_in(words, _KINDS) or role
        role = "T1CE" if role == "T1" and _contrast_in(words) else role
    if role is not None:
        return Recognition(role, "high", evidence)
    kind = _kind_in(words, _OTHER_SCANNERS) or _kind_in(words, _KINDS)
    if kind == "T1" and _contrast_in(words):
        kind = "T1CE"
    return Recognition(kind, "medium", evidence) if kind else Recognition("", "low", ())


def _words(text: object) -> str:
    """Words in lower case with single spaces; signs that mean something become words."""
    text = str(text or "").lower().replace("t2*", "t2star").replace("w/o", " without ")
    text = re.sub(r"\+ ?(c|gd|gad|km)\b|\bc ?\+", " post ", text)
    text = re.sub(r"[^a-z0-9]+", " ", text).strip()
    return _SURGERY.sub(" ", text)


def _kind_in(words: str, kinds: tuple[tuple[str, str], ...]) -> str:
    return next((kind for kind, pattern in kinds if re.search(pattern, words)), "")


def _contrast_in(words: str) -> bool:
    return bool(_CONTRAST.search(words)) and not _NO_CONTRAST.search(words)


def _description(facts: Mapping[str, Any]) -> tuple[str, str]:
    """The first text that names a kind of MR series, and its tag; else the description."""
    for tag in ("SeriesDescription", "ProtocolName", "SequenceName"):
        if _kind_in(_words(facts.get(tag)), _KINDS):
            return str(facts[tag]), tag
    return str(facts.get("SeriesDescription", "")), "SeriesDescription"


def _recognize_mr(facts: Mapping[str, Any], plane: Plane, time_points: int) -> Recognition:
    text, tag = _description(facts)
    words = _words(text)
    written, measured = _kind_in(words, _KINDS), _kind_by_timing(facts)
    image_type = {value.upper() for value in plane.image_type}
    evidence = [f"{tag} '{text}'"] if written else []
    tagged = _kind_by_tags(image_type, plane)
    if tagged and not (tagged == "DWI" and written in ("ADC", "diffusion map")):
        evidence.append(f"ImageType {'/'.join(plane.image_type)}" if tagged != "DWI" else "b-value")
        agrees = written in (tagged, "") or tagged == "localizer"
        return Recognition(tagged, "high" if agrees else "medium", tuple(evidence))
    t1_like = "T1" in (written, measured)
    if time_points > 1:
        evidence.append(f"{time_points} time points")
        if written == "DCE" or (t1_like and written in ("T1", "")):
            return Recognition("DCE", "high" if written == "DCE" else "medium", tuple(evidence))
        return Recognition(written if written not in MODALITIES else "perfusion", "medium", tuple(evidence))
    if measured:
        evidence.append(
            ", ".join(
                f"{short} {float(facts[name]):g} ms"
                for short, name in (("TE", "EchoTime"), ("TR", "RepetitionTime"), ("TI", "InversionTime"))
                if facts.get(name)
            )
        )
    kind = written or measured
    if not kind:
        return Recognition("", "low", ())
    confidence = "medium" if not (written and measured) else "high" if written == measured else "low"
    if written and written not in ("T1", "T2", "FLAIR"):
        confidence = "high" if written != "DCE" else "medium"  # timing says nothing on these
    if kind != "T1":
        return Recognition(kind, confidence, tuple(evidence))
    return _with_contrast(facts, words, confidence, evidence)


def _with_contrast(facts: Mapping[str, Any], words: str, confidence: str, evidence: list[str]) -> Recognition:
    """T1 or T1CE. Agents are often left in the header for the whole examination, so a written 'pre' outranks them."""
    agent = str(facts.get("ContrastBolusAgent", "")).strip()
    agent = "" if agent.lower() in _NO_AGENT else agent
    denied = bool(_NO_CONTRAST.search(words))
    if agent:
        evidence.append("ContrastBolusAgent is set")
    if denied and agent:
        return Recognition("T1", "low", tuple(evidence))
    modality = "T1CE" if not denied and (agent or _contrast_in(words)) else "T1"
    return Recognition(modality, confidence, tuple(evidence))


def _kind_by_tags(image_type: set[str], plane: Plane) -> str:
    if "LOCALIZER" in image_type:
        return "localizer"
    if "ADC" in image_type:
        return "ADC"
    if image_type & {"EADC", "FA"}:
        return "diffusion map"
    if image_type & {"SUBTRACT", "SUBTRACTION"}:
        return "subtraction"
    if image_type & {"PROJECTION IMAGE", "MIP", "MNIP"}:
        return "projection"
    if "DIFFUSION" in image_type or "TRACEW" in image_type or (plane.b_value or 0) > 0:
        return "DWI"
    return ""


def _kind_by_timing(facts: Mapping[str, Any]) -> str:
    """T1, T2 or FLAIR by echo, repetition and inversion time in ms; empty when they are absent or tell nothing."""
    try:
        echo, repetition = float(facts["EchoTime"]), float(facts["RepetitionTime"])
        inversion = float(facts.get("InversionTime") or 0)
    except (KeyError, TypeError, ValueError):
        return ""
    if "EP" in str(facts.get("ScanningSequence", "")):
        return ""  # echo-planar: diffusion, perfusion and function, whose weighting these limits do not tell
    if echo >= 60 and 1500 <= inversion <= 3000:
        return "FLAIR"
    if echo >= 60 and repetition >= 2000:
        return "T2"
    if echo <= 30 and (repetition <= 1200 or 400 <= inversion <= 1300):
        return "T1"
    return ""


def _recognize_ct(facts: Mapping[str, Any], plane: Plane, time_points: int) -> Recognition:
    words = _words(facts.get("SeriesDescription"))
    if "LOCALIZER" in {value.upper() for value in plane.image_type} or _kind_in(words, _KINDS[:1]):
        return Recognition("localizer", "high", ("CT localizer",))
    if time_points > 1:
        return Recognition("perfusion", "high", (f"CT with {time_points} time points",))
    return Recognition("CT", "high", ("Modality is CT",))


def _recognize_pet(facts: Mapping[str, Any], time_points: int) -> Recognition:
    tracers = facts.get("RadiopharmaceuticalInformationSequence") or []
    names = [str(facts.get("SeriesDescription", "")), str(facts.get("ProtocolName", ""))]
    for tracer in tracers:
        names.append(str(tracer.get("Radiopharmaceutical") or ""))
        names += [str(code.get("CodeMeaning") or "") for code in tracer.get("RadiopharmaceuticalCodeSequence") or []]
    corrected = facts.get("CorrectedImage") or ()
    if (corrected and "ATTN" not in corrected) or _UNCORRECTED.search(_words(names[0])):
        return Recognition("uncorrected PET", "high", ("no ATTN in CorrectedImage, or NAC in the description",))
    if time_points > 1:
        return Recognition("dynamic PET", "high", (f"PET with {time_points} time points",))
    named = next((name for name in names if _kind_in(_words(name), _OTHER_SCANNERS[:1])), "")
    if named:
        return Recognition("PSMA", "high", (f"tracer '{named}'",))
    tracer = next((name for name in names[2:] if name), "")
    return Recognition("PET", "high", (f"tracer '{tracer}'" if tracer else "Modality is PT",))
