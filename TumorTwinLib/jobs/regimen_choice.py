"""The regimens that a job names: of the library, of the user's files, or what the record holds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.treatment import regimens
from TumorTwinLib.treatment.events import in_order
from TumorTwinLib.treatment.regimens import Regimen
from TumorTwinLib.treatment.regimens.files import read_regimens

if TYPE_CHECKING:
    from TumorTwinLib.patient import PatientData
    from TumorTwinLib.recommend.plans import Plan

RECORDED = "recorded"
_FILES = (".json", ".csv")
_FOLDER = "regimens"


def offered_regimens(cancer: str) -> dict[str, str]:
    """Title by name of what can be chosen for a cancer: the library, the user's own, and the record."""
    known = {regimen.name: regimen.title for regimen in regimens.regimens_for(cancer)}
    return {RECORDED: "As recorded after the last visit used", **known}


def chosen_regimens(spec: JobSpec, folder: Path, patient: PatientData) -> tuple[Regimen | Plan, ...]:
    """Regimens and plans in the order of the job.

    Args:
        folder: that file names are relative to.

    Raises:
        TumorTwinError: a name that nothing has, a regimen for another cancer, or a file that cannot be read.
    """
    from TumorTwinLib.patient.treatment_csv import read_treatment_csv
    from TumorTwinLib.recommend.plans import Plan, recorded_plan

    used = len(patient.visits) if spec.calibration_visits is None else spec.calibration_visits
    chosen: list[Regimen | Plan] = []
    for name in spec.regimens:
        path = folder / name
        if path.suffix == ".csv":
            events = in_order(read_treatment_csv(path))
            chosen.append(Plan(path.stem, path.stem.replace("_", " "), events, source=f"the file {path.name}"))
        elif path.suffix == ".json":
            chosen += _of_cancer(read_regimens(path), spec.cancer, str(path))
        elif name == RECORDED:
            chosen.append(recorded_plan(patient, patient.visits[used - 1].time))
        else:
            chosen += _of_cancer([_known(name, spec.cancer, folder)], spec.cancer, name)
    return tuple(chosen)


def carried(spec: JobSpec, folder: Path) -> JobSpec:
    """The job with the user's files, also those that hold a name, copied into its folder: it then runs anywhere.

    Raises:
        TumorTwinError: a file that does not exist.
    """
    names = []
    for name in spec.regimens:
        if Path(name).suffix in _FILES:
            names.append(f"{_FOLDER}/{_copied(Path(name), folder).name}")
            continue
        regimen = regimens.REGIMENS.get(name)
        if regimen is not None and Path(regimen.file).parent != Path(regimens.__file__).parent:
            _copied(Path(regimen.file), folder)
        names.append(name)
    return replace(spec, regimens=tuple(names))


def _copied(source: Path, folder: Path) -> Path:
    if not source.is_file():
        raise TumorTwinError(f"{source} does not exist: choose a file of regimens or of events.")
    copy = folder / _FOLDER / source.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    if copy.resolve() != source.resolve():
        shutil.copyfile(source, copy)
    return copy


def _known(name: str, cancer: str, folder: Path) -> Regimen:
    if name in regimens.REGIMENS:
        return regimens.REGIMENS[name]
    beside = [one for file in sorted((folder / _FOLDER).glob("*.json")) for one in read_regimens(file)]
    known = {one.name: one for one in (*beside, *regimens.add_user_regimens())}
    if name not in known:
        raise TumorTwinError(
            f"There is no regimen {name!r}: choose from {', '.join(offered_regimens(cancer))}, or give a .json file of "
            "regimens or a .csv file of events."
        )
    return known[name]


def _of_cancer(found: Sequence[Regimen], cancer: str, where: str) -> list[Regimen]:
    other = next((regimen for regimen in found if regimen.cancer != cancer), None)
    if other is not None:
        raise TumorTwinError(f"{where} is a regimen for {other.cancer} and the job is for {cancer}: choose another.")
    return list(found)
