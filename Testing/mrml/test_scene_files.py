"""A scene file is whole or not there."""

import zipfile

import pytest
import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.scene import load_scene, save_scene


def add_text(text: str):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "note")
    node.SetText(text)


def test_a_scene_is_saved_under_a_path_with_spaces_and_accents(tmp_path):
    folder = tmp_path / "Müller é 研究"
    folder.mkdir()
    add_text("größe")
    path = save_scene(folder / "a scene.mrb")
    load_scene(path)
    assert slicer.util.getNode("note").GetText() == "größe"
    assert [entry.name for entry in folder.iterdir()] == ["a scene.mrb"]


def test_saving_again_replaces_the_file(tmp_path):
    add_text("first")
    save_scene(tmp_path / "scene.mrb")
    slicer.util.getNode("note").SetText("second")
    save_scene(tmp_path / "scene.mrb")
    load_scene(tmp_path / "scene.mrb")
    assert slicer.util.getNode("note").GetText() == "second"


@pytest.mark.parametrize("failure", ["reports", "raises", "writes nothing"])
def test_a_failed_save_keeps_the_old_file_and_leaves_nothing(tmp_path, monkeypatch, failure):
    def fail(path, properties):
        if failure == "raises":
            raise RuntimeError("disk")
        if failure == "reports":
            open(path, "wb").write(b"half")  # noqa: SIM115
        return failure != "reports"

    (tmp_path / "scene.mrb").write_bytes(b"the old scene")
    monkeypatch.setattr(slicer.util, "saveScene", fail)
    with pytest.raises((TumorTwinError, RuntimeError)):
        save_scene(tmp_path / "scene.mrb")
    assert (tmp_path / "scene.mrb").read_bytes() == b"the old scene"
    assert [entry.name for entry in tmp_path.iterdir()] == ["scene.mrb"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("scene.mrml", "ends in .mrb, not scene.mrml"), ("absent/scene.mrb", "absent does not exist")],
)
def test_places_it_cannot_go_are_refused(tmp_path, name, message):
    with pytest.raises(TumorTwinError, match=message):
        save_scene(tmp_path / name)


@pytest.mark.parametrize("damage", ["not a zip file", "cut short", "no scene inside"])
def test_reading_a_missing_or_damaged_scene_says_so_and_keeps_what_is_open(tmp_path, damage):
    add_text("open")
    with pytest.raises(TumorTwinError, match=r"absent\.mrb does not exist"):
        load_scene(tmp_path / "absent.mrb")
    damaged = tmp_path / "damaged.mrb"
    save_scene(damaged)
    if damage == "no scene inside":
        with zipfile.ZipFile(damaged, "w") as bundle:
            bundle.writestr("readme.txt", "text")
    else:
        damaged.write_bytes(b"PK?" if damage == "not a zip file" else damaged.read_bytes()[:-200])
    with pytest.raises(TumorTwinError, match=r"damaged\.mrb could not be read"):
        load_scene(damaged)
    assert slicer.util.getNode("note").GetText() == "open"
