"""Regimen files: what is wrong in one is said in one sentence; users' own stand beside the shipped."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment import regimens
from TumorTwinLib.treatment.events import RadiotherapyFraction
from TumorTwinLib.treatment.regimens.files import read_regimens


def layout(**changes) -> dict:
    """A small right file; ``changes`` are of its one course, ``None`` removes a field."""
    course = {"name": "rt", "kind": "radiotherapy", "total_gy": 30, "times": 10} | changes
    course = {key: value for key, value in course.items() if value is not None}
    regimen = {"name": "short", "title": "Short", "description": "Ten fractions.", "source": "us", "courses": [course]}
    return {"cancer": "glioblastoma", "regimens": [regimen]}


def write(folder, content, name="own.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


DRUG = {"kind": "drug", "total_gy": None, "drug": "TMZ", "amounts": 75, "unit": "mg/m2"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"total_gy": "60"}, 'course rt has the total_gy "60": write a number of 1e-09 or more.'),
        ({"total_gy": None}, "course rt has no 'total_gy': add a number"),
        ({"times": 0}, "course rt has the times 0: write a whole number of 1 or more."),
        ({"times": 2.5}, "has the times 2.5: write a whole number"),
        ({"times": True}, "has the times true: write a whole number"),
        ({"kind": "magic"}, 'has the kind "magic": write one of radiotherapy, drug, surgery.'),
        ({"colour": 1}, "course rt has the unknown field 'colour': use name, kind, total_gy"),
        ({"drug": "temozolomide"}, "course rt has the unknown field 'drug'"),
        ({"after": "chemo"}, "course rt is 'after' chemo, no earlier course: use one of none."),
        ({"cycles": 2}, "course rt has more than one of times, cycles and during: keep one."),
        ({"on_days": [1, 40], "cycles": 2, "times": 1}, "has more than one of"),
        (DRUG | {"times": None, "on_days": [1, 40], "cycles": 2}, "has on_days beyond its cycle_days"),
        (
            DRUG | {"drug": "aspirin"},
            "course rt names the drug 'aspirin', which is not known: use one of temozolomide,",
        ),
        (DRUG | {"unit": "g"}, 'has the unit "g": write one of mg, mg/m2, mg/kg, AUC.'),
        (DRUG | {"amounts": []}, "has the amounts []: write a number or a list of numbers"),
        ({"kind": "surgery", "total_gy": None, "residual_fraction": 2}, "leaves a residual_fraction of 2"),
    ],
)
def test_a_fault_in_a_course_is_one_sentence(tmp_path, changes, sentence):
    path = write(tmp_path, layout(**changes))
    with pytest.raises(TumorTwinError) as refused:
        read_regimens(path)
    assert sentence in str(refused.value)
    assert str(refused.value).startswith(f"{path} regimen short course rt ")
    assert "\n" not in str(refused.value)


def test_faults_of_the_file(tmp_path):
    def refused(content) -> str:
        with pytest.raises(TumorTwinError) as fault:
            read_regimens(write(tmp_path, content))
        return str(fault.value)

    assert "is no valid JSON at line 2" in refused('{"cancer":\n}')
    assert "has no 'cancer'" in refused({"regimens": []})
    assert "has no list 'regimens'" in refused({"cancer": "x", "regimens": {}})
    assert "is no object" in refused([1])
    twice = layout()
    twice["regimens"] *= 2
    assert "has the regimen 'short' twice" in refused(twice)
    untitled = layout()
    del untitled["regimens"][0]["title"]
    assert "regimen short has no 'title': add a text." in refused(untitled)
    ruled = layout()
    ruled["regimens"][0]["rule"] = {"biomarker": "PSA", "stop_below": 4}
    assert "regimen short rule has no 'resume_above'" in refused(ruled)
    with pytest.raises(TumorTwinError, match="cannot be read"):
        read_regimens(tmp_path / "absent.json")


def test_two_fractions_a_day(tmp_path):
    regimen = read_regimens(write(tmp_path, layout(per_day=2, hours_between=8)))[0]
    events = regimen.events(datetime(2024, 3, 8, 9))  # a Friday
    assert len(events) == 20
    assert {event.dose_gy for event in events} == {1.5}
    assert [event.time for event in events[:3]] == [
        datetime(2024, 3, 8, 9), datetime(2024, 3, 8, 17), datetime(2024, 3, 11, 9)
    ]  # fmt: skip


def test_users_add_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(regimens, "REGIMENS", dict(regimens.REGIMENS))
    own = write(tmp_path, layout())
    assert [regimen.title for regimen in regimens.add_user_regimens(tmp_path)] == ["Short"]
    events = regimens.REGIMENS["short"].events(datetime(2024, 3, 4))
    assert events[0] == RadiotherapyFraction(datetime(2024, 3, 4), 3.0)
    changed = layout(total_gy=40)
    write(tmp_path, changed)  # edited and read again
    regimens.add_user_regimens(tmp_path)
    assert regimens.REGIMENS["short"].events(datetime(2024, 3, 4))[0].dose_gy == 4.0
    assert regimens.REGIMENS["short"] in regimens.regimens_for("glioblastoma")
    taken = layout()
    taken["regimens"][0]["name"] = "gbm_stupp"
    write(tmp_path, taken, "taken.json")
    with pytest.raises(TumorTwinError, match=r"names a regimen 'gbm_stupp', which .*glioblastoma.json has already"):
        regimens.add_user_regimens(tmp_path)
    assert own.exists()


def test_no_folder_no_regimens(tmp_path):
    assert regimens.add_user_regimens(tmp_path / "absent") == ()
