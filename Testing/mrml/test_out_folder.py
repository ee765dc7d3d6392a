"""Results appear whole under their name or not at all, and nobody else's files are touched."""

import json
import os

import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.out_folder import check_out_folder, filling, write_run_file


def earlier_results(out):
    out.mkdir()
    write_run_file(out, {"job": {}})
    (out / "old.txt").write_text("old")
    return out


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_folder_appears_at_the_end_and_can_be_read_by_others(tmp_path):
    out = tmp_path / "deep" / "er" / "out"
    with filling(out) as folder:
        (folder / "a.txt").write_text("a")
        assert not out.exists()
    assert names(out) == ["a.txt"]
    assert names(out.parent) == ["out"]
    assert os.name == "nt" or out.stat().st_mode & 0o055 == 0o055


def test_earlier_results_are_replaced_whole(tmp_path):
    out = earlier_results(tmp_path / "out")
    check_out_folder(out, tmp_path / "patient")
    with filling(out) as folder:
        (folder / "new.txt").write_text("new")
    assert names(out) == ["new.txt"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_keeps_earlier_results_and_leaves_nothing_else(tmp_path, failure):
    def fail():
        with filling(out) as folder:
            (folder / "half.txt").write_text("half")
            raise failure

    out = earlier_results(tmp_path / "out")
    with pytest.raises(failure):
        fail()
    assert names(out) == ["old.txt", "run.json"]
    assert names(tmp_path) == ["out"]


def test_a_failed_last_rename_puts_the_earlier_results_back(tmp_path, monkeypatch):
    out = earlier_results(tmp_path / "out")
    rename = type(out).rename

    def refuse(self, target):
        if ".partial-" in self.name:
            raise PermissionError("in use")
        return rename(self, target)

    def fill():
        with filling(out) as folder:
            (folder / "new.txt").write_text("new")

    monkeypatch.setattr(type(out), "rename", refuse)
    with pytest.raises(PermissionError):
        fill()
    assert names(out) == ["old.txt", "run.json"]
    assert names(tmp_path) == ["out"]


def a_file(out):
    out.write_text("mine")


def other_files(out):
    out.mkdir()
    (out / "thesis.docx").write_text("mine")


def anothers_run_file(out):
    out.mkdir()
    (out / "run.json").write_text(json.dumps({"program": "other"}))


def a_broken_run_file(out):
    out.mkdir()
    (out / "run.json").write_text("[1, 2")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_file, "out is a file: give a folder"),
        (other_files, "out holds files that are not results of TumorTwin"),
        (anothers_run_file, "out holds files that are not results of TumorTwin"),
        (a_broken_run_file, "out holds files that are not results of TumorTwin"),
    ],
)
def test_foreign_places_are_refused_and_left_alone(tmp_path, make, message):
    out = tmp_path / "out"
    make(out)
    before = out.read_text() if out.is_file() else [(entry.name, entry.read_text()) for entry in out.iterdir()]
    with pytest.raises(TumorTwinError, match=message):
        check_out_folder(out, tmp_path / "patient")
    assert before == (
        out.read_text() if out.is_file() else [(entry.name, entry.read_text()) for entry in out.iterdir()]
    )


def test_an_empty_folder_is_welcome(tmp_path):
    (tmp_path / "out").mkdir()
    check_out_folder(tmp_path / "out", tmp_path / "patient")


def test_results_do_not_go_into_the_patients_own_folder(tmp_path):
    patient = tmp_path / "patient"
    patient.mkdir()
    with pytest.raises(TumorTwinError, match="lies inside the patient's folder"):
        check_out_folder(patient / "results", patient)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the super-user may write anywhere")
def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(TumorTwinError, match="locked cannot be written to"):
        check_out_folder(tmp_path / "locked" / "out", tmp_path / "patient")


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(TumorTwinError, match="file cannot be written to"):
        check_out_folder(tmp_path / "file" / "out", tmp_path / "patient")
