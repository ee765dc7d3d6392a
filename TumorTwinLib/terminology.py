"""Names, standard codes and colors of the regions, in both directions."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ALTERED_STRUCTURE = ("49755003", "Morphologically Altered Structure")
_ANATOMICAL_STRUCTURE = ("123037004", "Anatomical Structure")
_TISSUE = ("85756007", "Tissue")
_NEOPLASM = ("86049000", "Neoplasm, Primary")
_NECROSIS = ("6574001", "Necrosis")
_EDEMA = ("79654002", "Edema")
_BRAIN = ("12738006", "Brain")


@dataclass(frozen=True)
class RegionTerm:
    """How one region appears in Slicer.

    Args:
        name: of the segment.
        category, type: SNOMED CT code and meaning.
        color: red, green, blue, 0 to 255; edema and necrosis as in Slicer's General Anatomy list, the others chosen
            to stay apart for color-blind readers.
        in_brain: whether the anatomic region is stated as the brain.
    """

    name: str
    category: tuple[str, str]
    type: tuple[str, str]
    color: tuple[int, int, int]
    in_brain: bool = True

    @property
    def color_fraction(self) -> tuple[float, float, float]:
        red, green, blue = self.color
        return red / 255, green / 255, blue / 255

    @property
    def entry(self) -> str:
        """Slicer's terminology string: context~category~type~modifier~anatomic context~region~modifier."""

        def code(pair: tuple[str, str]) -> str:
            return f"SCT^{pair[0]}^{pair[1]}"

        kind = f"Segmentation category and type - DICOM master list~{code(self.category)}~{code(self.type)}~^^"
        region = code(_BRAIN) if self.in_brain else "^^"
        return f"{kind}~Anatomic codes - DICOM master list~{region}~^^"


REGION_TERMS = {
    "enhancing": RegionTerm("Enhancing tumor", _ALTERED_STRUCTURE, _NEOPLASM, (230, 159, 0)),
    "non_enhancing": RegionTerm("Non-enhancing tumor", _ALTERED_STRUCTURE, _NEOPLASM, (204, 121, 167)),
    "necrotic_core": RegionTerm("Necrosis", _ALTERED_STRUCTURE, _NECROSIS, (216, 191, 216)),
    "edema": RegionTerm("Edema", _ALTERED_STRUCTURE, _EDEMA, (140, 224, 228)),
    "core": RegionTerm("Tumor core", _ALTERED_STRUCTURE, _NEOPLASM, (0, 190, 140)),
    "whole_tumor": RegionTerm("Whole tumor", _ALTERED_STRUCTURE, _NEOPLASM, (86, 180, 233)),
    "brain": RegionTerm("Brain", _ANATOMICAL_STRUCTURE, _BRAIN, (200, 200, 205), in_brain=False),
    "white_matter": RegionTerm("White matter", _TISSUE, ("389080008", "White Matter"), (250, 250, 225)),
    "grey_matter": RegionTerm("Gray matter", _TISSUE, ("389081007", "Gray Matter"), (200, 200, 235)),
    "csf": RegionTerm("CSF", _TISSUE, ("280371009", "Cerebrospinal fluid pathway"), (85, 188, 255)),
}

# What other tools call the same regions, lower case with single spaces.
_SYNONYMS = {
    "enhancing": ("et", "enhancing", "enhancing tumor", "gd enhancing tumor", "enhancing lesion"),
    "non_enhancing": ("net", "non enhancing", "nonenhancing tumor", "non enhancing tumor core", "netc"),
    "necrotic_core": ("ncr", "necrosis", "necrotic", "necrotic tumor core", "necrotic core", "ncr net"),
    "edema": ("ed", "peritumoral edema", "flair hyperintensity", "snfh", "oedema"),
    "core": ("tc", "core"),
    "whole_tumor": ("wt", "tumor"),
    "grey_matter": ("grey matter",),
}
_REGION_OF_NAME = {term.name.lower().replace("-", " "): region for region, term in REGION_TERMS.items()} | {
    name: region for region, names in _SYNONYMS.items() for name in names
}
_REGION_OF_TYPE = {_NECROSIS[0]: "necrotic_core", _EDEMA[0]: "edema", _NEOPLASM[0]: "enhancing", _BRAIN[0]: "brain"}


def term_for(region: str) -> RegionTerm:
    """The term of a region; a region without one is a neoplasm under its own name."""
    name = region.replace("_", " ").capitalize()
    return REGION_TERMS.get(region) or RegionTerm(name, _ALTERED_STRUCTURE, _NEOPLASM, (240, 228, 66), in_brain=False)


def region_of(segment_name: str, terminology: str = "") -> str:
    """Our region name for a segment: by its name, else by its SNOMED type, else its name with underscores."""
    plain = re.sub(r"[\s_\-/]+", " ", segment_name).strip().lower().replace("tumour", "tumor")
    if plain in _REGION_OF_NAME:
        return _REGION_OF_NAME[plain]
    parts = terminology.split("~")
    type_code = parts[2].split("^")[1] if len(parts) > 2 and parts[2].count("^") >= 2 else ""
    return _REGION_OF_TYPE.get(type_code, plain.replace(" ", "_"))
