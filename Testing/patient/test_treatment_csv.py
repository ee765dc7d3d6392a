"""Treatments keep their minute, their dose and their drug."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.patient.treatment_csv import read_treatment_csv, write_treatment_csv
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, days_between

EVENTS = (
    RadiotherapyFraction(datetime(2024, 3, 5, 14, 0), 2.0),
    RadiotherapyFraction(datetime(2024, 3, 6, 8, 0), 1.2),
    RadiotherapyFraction(datetime(2024, 3, 6, 16, 0), 1.2),
    DrugDose(datetime(2024, 3, 6), "temozolomide", 0.1 + 0.2, "mg/m2"),
    DrugDose(datetime(2024, 3, 7, 9, 30, 15), "paclitaxel", 140.0, "mg"),
    DrugDose(datetime(2024, 3, 8, 12), "fluorouracil", 2400.0, "mg/m2", infusion_hours=46.0),
    Surgery(datetime(2024, 4, 1)),
)


def read(tmp_path, text: str, encoding: str = "utf-8"):
    path = tmp_path / "treatment.csv"
    path.write_text(text, encoding=encoding)
    return read_treatment_csv(path)


def test_what_is_written_is_read_again(tmp_path):
    write_treatment_csv(EVENTS, tmp_path / "treatment.csv")
    assert read_treatment_csv(tmp_path / "treatment.csv") == EVENTS
    assert [file.name for file in tmp_path.iterdir()] == ["treatment.csv"]


def test_a_fraction_at_14_00_stays_at_14_00(tmp_path):
    (event,) = read(tmp_path, "date,kind,name,amount,unit\n2024-03-05T14:00,radiotherapy,,2,Gy\n")
    assert days_between(datetime(2024, 3, 5), event.time) == pytest.approx(0.5833, abs=5e-5)


def test_two_fractions_a_day_stay_two_even_without_times(tmp_path):
    row = "2024-03-05,radiotherapy,,1.2,Gy\n"
    events = read(tmp_path, f"date,kind,name,amount,unit\n{row}{row}")
    assert [event.dose_gy for event in events] == [1.2, 1.2]


def test_files_as_spreadsheets_write_them(tmp_path):
    lines = [
        "Unit , Amount,note,kind,name,date",
        "mg/m²,75,ok,Drug, Temodal ,2024-03-05 08:00",
        "",
        ",,,,,",
        "gy,2,,RADIOTHERAPY,,2024-03-06",
    ]
    assert read(tmp_path, "\r\n".join(lines), "utf-8-sig") == (
        DrugDose(datetime(2024, 3, 5, 8), "temozolomide", 75.0, "mg/m2"),
        RadiotherapyFraction(datetime(2024, 3, 6), 2.0),
    )


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2024-13-05,radiotherapy,,2,Gy", "'2024-13-05'"),
        ("05.03.2024,radiotherapy,,2,Gy", "'05.03.2024'"),
        (",radiotherapy,,2,Gy", "date ''"),
        ("2024-03-05T14:00Z,radiotherapy,,2,Gy", "time zone"),
        ("2024-03-05,chemotherapy,TMZ,2,mg", "'chemotherapy'"),
        ("2024-03-05,drug,aspirin,2,mg", "'aspirin'"),
        ("2024-03-05,drug,,2,mg", "drug ''"),
        ("2024-03-05,radiotherapy,,200,cGy", "'cGy'"),
        ("2024-03-05,radiotherapy,,2,", "unit ''"),
        ("2024-03-05,radiotherapy,,2,mg", "radiotherapy in mg"),
        ("2024-03-05,drug,TMZ,75,Gy", "temozolomide in Gy"),
        ("2024-03-05,radiotherapy,,-2,Gy", "-2"),
        ("2024-03-05,radiotherapy,,nan,Gy", "nan"),
        ("2024-03-05,radiotherapy,,inf,Gy", "inf"),
        ("2024-03-05,radiotherapy,,two,Gy", "'two'"),
        ("2024-03-05,radiotherapy,,1,2,Gy", "6 cells"),
        ("2024-03-05,surgery,,2,Gy", "surgery a dose"),
    ],
)
def test_a_bad_row_names_file_line_and_fault(tmp_path, row, complaint):
    good = "2024-03-05,radiotherapy,,2,Gy"
    with pytest.raises(TumorTwinError) as caught:
        read(tmp_path, f"date,kind,name,amount,unit\n{good}\n\n{row}\n")
    assert f"{tmp_path / 'treatment.csv'} line 4 " in str(caught.value)
    assert complaint in str(caught.value)


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(TumorTwinError, match="lacks the column name, unit"):
        read(tmp_path, "date,kind,amount\n")
    with pytest.raises(TumorTwinError, match="lacks the column"):
        read(tmp_path, "")


def test_what_a_row_cannot_hold_is_not_lost_in_silence(tmp_path):
    grid = Grid.from_spacing((2, 2, 2), (1, 1, 1))
    mask = Image(grid=grid, array=np.ones(grid.shape, bool))
    for event in (
        RadiotherapyFraction(datetime(2024, 3, 5), 2.0, dose_map=mask),
        Surgery(datetime(2024, 3, 5), cavity=mask),
        Surgery(datetime(2024, 3, 5), residual_fraction=0.1),
    ):
        with pytest.raises(TumorTwinError, match="cannot hold"):
            write_treatment_csv([event], tmp_path / "treatment.csv")
    assert not list(tmp_path.iterdir())
