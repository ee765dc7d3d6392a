"""A patient and what was found of it, arranged to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from TumorTwinLib.forecast import Forecast, ParameterValue
from TumorTwinLib.mrml.forecast import ForecastNodes, show_forecast
from TumorTwinLib.mrml.forecast_tables import parameter_columns
from TumorTwinLib.mrml.layout import arrange_views
from TumorTwinLib.mrml.rendering import center_of_mass
from TumorTwinLib.mrml.run_nodes import RunNodes, file_under, study_item
from TumorTwinLib.mrml.tables import fill_table
from TumorTwinLib.mrml.uncertainty_tables import draw_columns, posterior_columns
from TumorTwinLib.mrml.visits import PatientNodes, show_patient
from TumorTwinLib.patient import PatientData
from TumorTwinLib.uncertainty import PosteriorSummary

_STUDY = "TumorTwin"


def show(patient: PatientData, forecast: Forecast) -> tuple[PatientNodes, ForecastNodes]:
    """Put scans and forecast into the scene and arrange its views."""
    visits = show_patient(patient)
    nodes = show_forecast(forecast)
    arrange_views(
        anatomy=visits.anatomy(float(forecast.days[-1])),
        density=nodes.density,
        chart=nodes.volume_chart,
        center_mm=center_of_mass(nodes.density),
    )
    return visits, nodes


def show_parameters(patient_id: str, rows: Sequence[ParameterValue], posterior: PosteriorSummary | None = None):
    """The tables of a calibration without a forecast, apart from those of forecasts: parameters, and posterior or None.

    A posterior that an earlier calibration left is removed by one without.
    """
    nodes = RunNodes(patient_id, "calibration")
    table = nodes.get("vtkMRMLTableNode", "parameters", f"{patient_id} calibrated parameters")
    fill_table(table, parameter_columns(rows))
    shown, posterior_table = [table], None
    if posterior is not None:
        posterior_table = nodes.get("vtkMRMLTableNode", "posterior", f"{patient_id} posterior")
        fill_table(posterior_table, posterior_columns(posterior))
        draws_table = nodes.get("vtkMRMLTableNode", "draws", f"{patient_id} posterior draws")
        fill_table(draws_table, draw_columns(posterior))
        shown += [posterior_table, draws_table]
    nodes.remove_unused()
    file_under(study_item(patient_id, _STUDY), shown)
    return table, posterior_table
