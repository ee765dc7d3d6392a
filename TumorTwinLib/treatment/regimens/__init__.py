"""Standard courses of treatment, by name: one JSON file a cancer in this folder, and the user's own beside them."""

from __future__ import annotations

from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.regimens.files import read_regimens
from TumorTwinLib.treatment.regimens.regimen import BiomarkerRule, Course, Regimen

__all__ = ["REGIMENS", "USER_FOLDER", "BiomarkerRule", "Course", "Regimen", "add_user_regimens", "regimens_for"]

USER_FOLDER = Path.home() / "TumorTwin" / "regimens"


def _shipped() -> dict[str, Regimen]:
    files = sorted(Path(__file__).parent.glob("*.json"))
    return {regimen.name: regimen for file in files for regimen in read_regimens(file)}


REGIMENS: dict[str, Regimen] = _shipped()


def regimens_for(cancer: str) -> tuple[Regimen, ...]:
    """The regimens of one cancer, in the order of their file."""
    return tuple(regimen for regimen in REGIMENS.values() if regimen.cancer == cancer)


def add_user_regimens(folder: str | Path = USER_FOLDER) -> tuple[Regimen, ...]:
    """Add the regimens of every JSON file in ``folder`` to ``REGIMENS``: all of them, or none if one file is wrong.

    A file read again replaces what it added before. A folder that does not exist holds none.

    Raises:
        TumorTwinError: a file that does not hold to the schema, or a name that is taken.
    """
    added: dict[str, Regimen] = {}
    for file in sorted(Path(folder).glob("*.json")):
        for regimen in read_regimens(file):
            known = added.get(regimen.name) or REGIMENS.get(regimen.name)
            if known is not None and known.file != regimen.file:
                raise TumorTwinError(
                    f"{file} names a regimen '{regimen.name}', which {known.file} has already: choose another name."
                )
            added[regimen.name] = regimen
    REGIMENS.update(added)
    return tuple(added.values())
