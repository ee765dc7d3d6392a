"""A scene file is whole or not there."""

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


def test_reading_a_missing_or_damaged_scene_says_so(tmp_path):
    with pytest.raises(TumorTwinError, match=r"absent\.mrb does not exist"):
        load_scene(tmp_path / "absent.mrb")
    (tmp_path / "damaged.mrb").write_bytes(b"not a zip file")
    with pytest.raises(TumorTwinError, match=r"damaged\.mrb could not be read"):
        load_scene(tmp_path / "damaged.mrb")
