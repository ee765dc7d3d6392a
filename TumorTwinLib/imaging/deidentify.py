"""Keeps who the patient is out of everything that is written or shown.

A patient is called by a pseudonym. Free text that must be shown (series descriptions, file names, messages) loses the
identifiers that the headers themselves hold, unique identifiers and long numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

REMOVED = "[removed]"
_UID = re.compile(r"\d+(?:\.\d+){4,}")
_LONG_NUMBER = re.compile(r"(?<!\d)\d{9,}(?!\d)")  # record and accession numbers; a date has 8 digits
_SHORTEST_SECRET = 3  # shorter parts are initials
_PART_OF_WORDS = 6  # shorter secrets are removed only where no letter adjoins: "Name" is a surname and a part of words


def pseudonym(identifiers: Mapping[str, str], salt: str = "") -> str:
    """``P-`` and eight letters or digits, the same for the same patient and salt.

    It comes from the patient's ID, or from name and birth date when there is none. scrypt makes trying many candidates
    slow; who releases results outside the hospital should give a secret ``salt``, or a patient ID of their own.
    """
    patient = identifiers.get("PatientID") or "|".join(
        identifiers.get(name, "") for name in ("PatientName", "PatientBirthDate")
    )
    digest = hashlib.scrypt(
        patient.strip().upper().encode(), salt=f"TumorTwin{salt}".encode(), n=2**13, r=8, p=1, dklen=4
    )
    return f"P-{digest.hex()}"


def secrets_of(identifiers: Iterable[Mapping[str, str]]) -> frozenset[str]:
    """Texts that must not appear: every identifier, and each part of a name, in lower case."""
    secrets = set()
    for values in identifiers:
        for keyword, value in values.items():
            parts = re.split(r"[\^=\s,\\]+", value) if keyword in ("PatientName", "OtherPatientIDs") else [value]
            glued = ("".join(parts[:2]), "".join(parts[1::-1]))  # DoeJohn, JohnDoe
            secrets |= {part.lower() for part in (value, *parts, *glued)}
            if keyword == "PatientBirthDate" and len(value) == 8:
                secrets |= {f"{value[:4]}-{value[4:6]}-{value[6:]}", f"{value[6:]}.{value[4:6]}.{value[:4]}"}
    return frozenset(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """``text`` with secrets, unique identifiers and long numbers replaced."""
    text = _UID.sub(REMOVED, text)
    for secret in sorted(secrets, key=len, reverse=True):
        pattern = re.escape(secret)
        if len(secret) < _PART_OF_WORDS:
            pattern = rf"(?<![A-Za-z]){pattern}(?![A-Za-z])"
        text = re.sub(pattern, REMOVED, text, flags=re.IGNORECASE)
    return _LONG_NUMBER.sub(REMOVED, text)
