"""The patient's folder as a hospital might hand it over, written the same to the last byte every time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
from generator import regions, scans
from generator.head import Head
from generator.history import VISITS, History
from generator.therapy import stupp_protocol, write_treatment_csv

PATIENT_ID = "TT-GBM-001"
BODY_SURFACE_AREA_M2 = 1.9
FRACTION_STEP = 0.01  # tissue fractions are stored in hundredths
NOTICE = """\
This patient does not exist. The head is made from a template, the tumor and its treatment are computed, and the
images are synthesized, all by make_glioblastoma.py in the folder above. It serves to try the software and to test
it, and must not be used for anything else.

The head (brain_mask, white_matter, grey_matter, csf, and through them every image) is derived from the ICBM 152
nonlinear symmetric template of 2009, release a, as distributed with nilearn: warped, sharpened and resampled. Its
terms are:

    Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill
    University. Permission to use, copy, modify, and distribute this software and its documentation for any purpose
    and without fee is hereby granted, provided that the above copyright notice appear in all copies. The authors
    and McGill University make no representations about the suitability of this software for any purpose. It is
    provided "as is" without express or implied warranty. The authors are not responsible for any data loss,
    equipment damage, property loss, or injury to subjects or patients resulting from the use or misuse of this
    software package.

References of the template:
    V. Fonov, A. C. Evans, K. Botteron, C. R. Almli, R. C. McKinstry, D. L. Collins, BDCG: Unbiased average
    age-appropriate atlases for pediatric studies. NeuroImage 54 (2011) 313-327.
    V. S. Fonov, A. C. Evans, R. C. McKinstry, C. R. Almli, D. L. Collins: Unbiased nonlinear average age-appropriate
    brain templates from birth to adulthood. NeuroImage 47 (2009) S102.
    D. L. Collins, A. P. Zijdenbos, W. F. C. Baare, A. C. Evans: ANIMAL+INSECT: improved cortical structure
    segmentation. IPMI 1999, LNCS 1613, 210-223.
"""


def write_patient(folder: Path, head: Head, history: History) -> None:
    """Write everything a reader of patients needs, and nothing of the truth.

    Args:
        folder: made if absent.
        head: on the grid of the scans.
        history: the truth that the scans show.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_nifti(folder / "brain_mask.nii.gz", head.brain.astype(np.uint8), head.affine)
    for name in ("white_matter", "grey_matter", "csf"):
        hundredths = np.round(getattr(head, name) / FRACTION_STEP).astype(np.uint8)
        _write_nifti(folder / f"{name}.nii.gz", hundredths, head.affine, step=FRACTION_STEP)
    for index, time in enumerate(VISITS):
        visit = folder / time.strftime("%Y-%m-%dT%H%M")
        visit.mkdir(exist_ok=True)
        cellularity = history.cellularity(index)
        truth = regions.anatomy(cellularity, history.biology)
        for modality in scans.MODALITIES:
            image = scans.weighted_image(head, truth, modality, index)
            _write_nifti(visit / f"{modality}.nii.gz", image, head.affine)
        _write_nifti(visit / "ADC.nii.gz", scans.adc_map(head, cellularity, index), head.affine)
        _write_nifti(visit / "segmentation.nii.gz", regions.outline(truth, head.brain, index), head.affine)
    write_treatment_csv(folder / "treatment.csv", stupp_protocol())
    about = {"patient_id": PATIENT_ID, "body_surface_area_m2": BODY_SURFACE_AREA_M2}
    (folder / "patient.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    (folder / "LICENSE-NOTICE.txt").write_text(NOTICE, encoding="utf-8")


def _write_nifti(path: Path, array: np.ndarray, affine: np.ndarray, *, step: float = 1.0) -> None:
    """``step`` is the value of one count, kept in the header, so that fractions take a byte a voxel."""
    import nibabel

    image = nibabel.Nifti1Image(array, affine)
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner")
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"virtual patient"
    image.header.set_slope_inter(step, 0)
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))
