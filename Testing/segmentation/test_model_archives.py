"""Archives made to write elsewhere, to fill the disk or to be damaged."""

from __future__ import annotations

import stat
import zipfile

import pytest

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.segmentation import archives
from TumorTwinLib.segmentation.archives import extract


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "outer" / "into"
    folder.mkdir(parents=True)
    return folder


def make(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def everything(_name):
    return True


def test_wanted_files_keep_their_folders(tmp_path, into):
    archive = make(
        tmp_path / "a.zip", [("b/models/model.pt", b"weights"), ("b/scripts/run.py", b"code"), ("b/x/", b"")]
    )
    taken = extract(archive, into, lambda name: name.endswith("model.pt"))
    assert taken == (into / "b/models/model.pt",)
    assert [path.name for path in into.rglob("*") if path.is_file()] == ["model.pt"]
    assert taken[0].read_bytes() == b"weights"


@pytest.mark.parametrize(
    "name",
    ["../evil.pt", "a/../../evil.pt", "/etc/evil.pt", "C:/evil.pt", "a\\..\\..\\evil.pt", "\\\\host\\evil.pt",
     "a//evil.pt", "./evil.pt", "a/evil.pt:stream", "a/ev\x01il.pt"],
)  # fmt: skip
def test_a_path_that_leads_outside_is_refused(tmp_path, into, name):
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name  # as another program would write it, uncorrected
    archive = make(tmp_path / "a.zip", [("good.pt", b"good"), (entry, b"evil")])
    with pytest.raises(TumorTwinError, match="leads outside its folder: use an archive you trust"):
        extract(archive, into, lambda name: name == "good.pt")  # not wanted, and still a reason to refuse
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path, into, kind):
    link = zipfile.ZipInfo("models/model.pt")
    link.create_system = 3
    link.external_attr = (kind | 0o777) << 16
    with pytest.raises(TumorTwinError, match="leads outside its folder"):
        extract(make(tmp_path / "a.zip", [(link, b"/etc/passwd")]), into, everything)


def test_a_bomb_is_refused_before_it_unpacks(tmp_path, into):
    archive = make(tmp_path / "a.zip", [("model.pt", bytes(50_000_000))])
    assert archive.stat().st_size < 100_000
    with pytest.raises(TumorTwinError, match="would unpack to far more than a model"):
        extract(archive, into, everything)
    assert list(into.iterdir()) == []


def test_many_files_together_are_limited(tmp_path, into, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_BYTES", 250)
    archive = make(tmp_path / "a.zip", [(f"{number}.pt", bytes(100)) for number in range(3)])
    with pytest.raises(TumorTwinError, match="would unpack to far more"):
        extract(archive, into, everything)


def test_the_number_of_files_is_limited(tmp_path, into, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_ENTRIES", 2)
    archive = make(tmp_path / "a.zip", [(f"{number}.pt", b"") for number in range(3)])
    with pytest.raises(TumorTwinError, match="holds 3 files, far more than a model"):
        extract(archive, into, everything)


def test_an_archive_that_lies_about_sizes_is_refused(tmp_path, into):
    archive = make(tmp_path / "a.zip", [("model.pt", bytes(range(256)) * 100)])
    content = bytearray(archive.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")  # the size it claims to unpack to
    archive.write_bytes(content)
    with pytest.raises(TumorTwinError, match=r"is no whole .zip archive|unpacks to more than it says"):
        extract(archive, into, everything)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"<html>" * 20])
def test_damage_is_said_in_words(tmp_path, into, damage):
    archive = make(tmp_path / "a.zip", [("model.pt", bytes(range(256)) * 100)])
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(TumorTwinError, match=r"a.zip is no whole .zip archive: download or copy it again"):
        extract(archive, into, everything)


def test_a_flipped_bit_is_noticed(tmp_path, into):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.pt", bytes(1000))
    content = bytearray(archive.read_bytes())
    content[500] ^= 1
    archive.write_bytes(content)
    with pytest.raises(TumorTwinError, match="is no whole .zip archive"):
        extract(archive, into, everything)


def test_a_password_is_named(tmp_path, into):
    archive = make(tmp_path / "a.zip", [("model.pt", b"weights")])
    content = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    archive.write_bytes(content)
    with pytest.raises(TumorTwinError, match="protected by a password"):
        extract(archive, into, everything)


def test_unpacking_can_be_cancelled(tmp_path, into):
    archive = make(tmp_path / "a.zip", [("model.pt", b"weights")])
    with pytest.raises(CancelledError):
        extract(archive, into, everything, cancelled=lambda: True)
