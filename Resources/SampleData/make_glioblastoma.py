"""Remake the shipped patient: a virtual glioblastoma in an individualised template head, under the Stupp protocol.

    pip install -e ".[sample]"
    python Resources/SampleData/make_glioblastoma.py

writes ``glioblastoma/`` beside this file, which is read like any patient's folder, and the truth behind it to
``Testing/Data/glioblastoma_truth/``, which only tests read. It takes a few minutes, nearly all of them for growing
the tumour; ``--from-truth`` grows nothing and remakes the images from the truth already there. Every random number
comes from one seed. ``--check`` writes nothing and compares instead: exit 1 where the files differ.

What is simplified: the brain is extracted already, as in the BraTS data; the visits are registered; the tumour pushes
nothing aside; dead cells vanish at once; and ADC follows cellularity alone, so that necrosis, which in life has a high
ADC, has a low one here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from generator.growth import Biology
from generator.head import at_two_mm, individual_head
from generator.history import History, grow
from generator.patient_files import write_patient

HERE = Path(__file__).resolve().parent
PATIENT = HERE / "glioblastoma"
TRUTH = HERE.parents[1] / "Testing" / "Data" / "glioblastoma_truth"


def make(patient: Path, truth: Path, *, from_truth: bool) -> None:
    """Write the patient, and the truth unless it is taken from ``TRUTH``."""
    head = individual_head()
    scanned = at_two_mm(head)
    if from_truth:
        history = History.load(TRUTH)
    else:
        history = grow(head, scanned.affine, Biology())
        history.save(truth)
    write_patient(patient, scanned, history)


def differences(remade: Path, shipped: Path) -> list[str]:
    """Files of ``remade`` that ``shipped`` lacks or holds otherwise, compared by what they say.

    Compressed bytes depend on the compressor's version, so volumes and arrays are compared voxel by voxel.
    """
    found = []
    for file in sorted(path for path in remade.rglob("*") if path.is_file()):
        other = shipped / file.relative_to(remade)
        if not other.is_file():
            found.append(f"{other} is missing")
        elif not _same(file, other):
            found.append(f"{other} differs")
    return found


def _same(one: Path, other: Path) -> bool:
    if one.name.endswith(".nii.gz"):
        import nibabel

        first, second = nibabel.load(one), nibabel.load(other)
        return np.array_equal(first.affine, second.affine) and np.array_equal(first.dataobj, second.dataobj)
    if one.suffix == ".npz":
        with np.load(one) as first, np.load(other) as second:
            return first.files == second.files and all(np.array_equal(first[k], second[k]) for k in first.files)
    return one.read_bytes() == other.read_bytes()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-truth", action="store_true", help="remake the images from the truth already there")
    parser.add_argument("--check", action="store_true", help="compare with the shipped files, write nothing")
    options = parser.parse_args(arguments)
    if not options.check:
        make(PATIENT, TRUTH, from_truth=options.from_truth)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        patient, truth = Path(scratch, "patient"), Path(scratch, "truth")
        make(patient, truth, from_truth=options.from_truth)
        found = differences(patient, PATIENT) + differences(truth, TRUTH)
    print("\n".join(found) if found else "the shipped files are as remade")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
