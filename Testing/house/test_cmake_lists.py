"""The lists of installed files in CMake are the files on disk."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(scope="module")
def lists(repository):
    spec = importlib.util.spec_from_file_location("update_cmake_lists", repository / ".ci" / "update_cmake_lists.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def differences(lists, root):
    return {
        (file, variable): sorted(set(names) ^ set(lists.listed((root / file).read_text(), variable)))
        for (file, variable), names in lists.expected_lists(root).items()
        if names != lists.listed((root / file).read_text(), variable)
    }


def test_every_file_is_listed_and_every_listed_file_exists(lists, repository):
    assert differences(lists, repository) == {}, "run `make lists`"


@pytest.fixture
def small_tree(lists, tmp_path):
    for name in ("TumorTwin/TumorTwin.py", "TumorTwin/Resources/Icons/TumorTwin.png", "TumorTwinLib/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for file, variable in lists.expected_lists(tmp_path):
        with (tmp_path / file).open("a") as cmake:
            cmake.write(f"set({variable}\n  )\n")
    lists.main(tmp_path)
    assert differences(lists, tmp_path) == {}
    return tmp_path


@pytest.mark.parametrize("new", ["TumorTwinLib/models/breast.py", "TumorTwinLib/treatment/regimens/stupp.json"])
def test_an_unlisted_file_is_found(lists, small_tree, new):
    (small_tree / new).parent.mkdir(parents=True)
    (small_tree / new).touch()
    assert [new] in differences(lists, small_tree).values()
    lists.main(small_tree)
    assert differences(lists, small_tree) == {}


def test_a_listed_file_that_is_gone_is_found(lists, small_tree):
    (small_tree / "TumorTwin/Resources/Icons/TumorTwin.png").unlink()
    assert ["Resources/Icons/TumorTwin.png"] in differences(lists, small_tree).values()


def test_rewriting_keeps_the_rest_of_the_file(lists):
    text = "before\nset(NAMES\n  old.py\n  )\nafter\n"
    assert lists.rewrite(text, "NAMES", ["a.py", "b.py"]) == "before\nset(NAMES\n  a.py\n  b.py\n  )\nafter\n"
    with pytest.raises(ValueError, match="OTHER"):
        lists.rewrite(text, "OTHER", [])
