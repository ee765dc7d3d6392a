"""What the name of a file or a volume says it is: a modality, a segmentation, a region, a mask of the patient.

Words are runs of letters and digits, in any case. Roles are tried by rank: the words of a role hide those of lower
ranks in the same name, so that ``T1CE_seg`` is a segmentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from TumorTwinLib.errors import TumorTwinError

SEGMENTATION = "segmentation"
_REGION_WORDS = {
    "enhancing": ("enhancing",),
    "necrotic_core": ("necrotic core", "necrosis"),
    "edema": ("edema", "oedema"),
    "non_enhancing": ("non enhancing", "nonenhancing"),
}
_SEGMENTATION_WORDS = {SEGMENTATION: ("seg", "segmentation")}
_MODALITY_WORDS = {
    "T1": ("t1", "t1w", "t1n", "t1 pre"),
    "T1CE": ("t1ce", "t1c", "t1gd", "t1post", "t1 ce", "t1 c", "t1 gd", "t1 post"),
    "T2": ("t2", "t2w"),
    "FLAIR": ("flair", "t2f", "t2 flair"),
    "ADC": ("adc",),
}
Ranks = Sequence[Mapping[str, Sequence[str]]]
VISIT_RANKS: Ranks = (_REGION_WORDS, _SEGMENTATION_WORDS, _MODALITY_WORDS)
PATIENT_RANKS: Ranks = (
    {
        "brain_mask": ("brain mask", "brainmask"),
        "white_matter": ("white matter",),
        "grey_matter": ("grey matter", "gray matter"),
        "csf": ("csf",),
    },
)


def role_of(name: str, ranks: Ranks, where: object) -> str | None:
    """The role a name tells, or None where it tells none.

    Args:
        name: without a file ending.
        where: the file or node, for the message.

    Raises:
        TumorTwinError: the name tells two roles of one rank.
    """
    words = re.split(r"[^a-z0-9]+", name.lower())
    for rank in ranks:
        # Longest names first, each taking its words away, so that "T2_flair" is FLAIR and not also T2.
        options = [(option.split(), role) for role, names in rank.items() for option in names]
        found, rest = set(), words
        for option, role in sorted(options, key=lambda entry: -len(entry[0])):
            at = next((i for i in range(len(rest) - len(option) + 1) if rest[i : i + len(option)] == option), None)
            if at is not None:
                found.add(role)
                rest = [*rest[:at], "", *rest[at + len(option) :]]
        if len(found) > 1:
            raise TumorTwinError(
                f"{where} could be {' or '.join(sorted(found))} by its name: rename it to one of them."
            )
        if found:
            return found.pop()
    return None
