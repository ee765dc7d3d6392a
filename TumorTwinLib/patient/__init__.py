"""The patient as loaded: dated visits, images by modality, regions, treatments. Nothing resampled yet."""

from TumorTwinLib.patient.data import PatientData, Visit

__all__ = ["PatientData", "Visit"]
