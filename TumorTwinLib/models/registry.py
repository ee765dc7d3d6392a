"""The cancers there is a model of, by the name that job files use. A new cancer adds its line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from TumorTwinLib.errors import TumorTwinError


@dataclass(frozen=True)
class Cancer:
    """A cancer and where its model is, which is imported only when it is used.

    Args:
        title: what the panel and reports call it.
        module, model: class with ``from_patient(patient, visits=..., resolution_mm=...)``.
        images: modalities that the model reads, beside segmentations and tissue maps.
    """

    title: str
    module: str
    model: str
    images: tuple[str, ...]

    def model_class(self) -> Any:
        return getattr(importlib.import_module(self.module), self.model)


CANCERS: dict[str, Cancer] = {
    "glioblastoma": Cancer("Glioblastoma", "TumorTwinLib.models.glioblastoma", "ReactionDiffusionModel", ("ADC",)),
}


def find_cancer(name: str) -> Cancer:
    """The cancer of that name.

    Raises:
        TumorTwinError: there is no model of it.
    """
    if name not in CANCERS:
        raise TumorTwinError(f"There is no model of the cancer {name!r}: choose from {', '.join(sorted(CANCERS))}.")
    return CANCERS[name]
