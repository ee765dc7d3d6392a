"""Models found, downloaded, imported and removed; with tiny networks and a server of this computer."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import replace

import pytest

from Testing.segmentation.model_server import Behavior, serving
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.segmentation.description import (
    MONAI,
    NNUNET,
    ModelDescription,
    NetworkSpec,
    OutputChannel,
    WeightsSource,
)
from TumorTwinLib.segmentation.description_file import write_description
from TumorTwinLib.segmentation.loading import load_network
from TumorTwinLib.segmentation.registry import (
    NEEDS_DOWNLOAD,
    NEEDS_FILE,
    NEEDS_PACKAGE,
    READY,
    model_state,
    runnable_model,
    segmentation_models,
)
from TumorTwinLib.segmentation.store import ModelStore

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

SMALL = NetworkSpec(
    MONAI,
    "SegResNet",
    {"in_channels": 1, "out_channels": 2, "init_filters": 8, "blocks_down": [1, 1], "blocks_up": [1]},
)
DESCRIPTION = ModelDescription(
    name="small",
    title="Small one",
    summary="Needs T1.",
    organ="brain",
    modalities=("T1",),
    network=SMALL,
    spacing_mm=(2.0, 2.0, 2.0),
    orientation="RAS",
    normalization="zscore",
    decoding="softmax",
    outputs=(OutputChannel("background", 0), OutputChannel("lesion", 1)),
    window=(16, 16, 16),
    weights=WeightsSource(file="small.pt", licence="CC0-1.0", licence_url="https://example.org/cc0"),
)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("TUMORTWIN_OFFLINE", raising=False)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "shipped").mkdir()
    return ModelStore(tmp_path / "user", tmp_path / "shipped")


@pytest.fixture
def weights(tmp_path):
    from monai.networks.nets import SegResNet

    torch.manual_seed(3)
    path = tmp_path / "mine.pt"
    torch.save({"state_dict": SegResNet(**SMALL.arguments).state_dict()}, path)
    return path


@pytest.fixture
def server(weights):
    behavior = Behavior(content=weights.read_bytes())
    with serving(behavior) as url:
        yield behavior, url


def describe(store, monkeypatch=None, **source):
    """The small model as one of ours, with these fields of its weights. Files only accept https; memory takes any."""
    description = replace(DESCRIPTION, weights=replace(DESCRIPTION.weights, **source))
    if monkeypatch is None:
        write_description(store.shipped_folder / "small.json", description)
    else:
        monkeypatch.setattr(store, "descriptions", lambda: {"small": description})
    return description


def yes(_offer):
    return True


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def output(network):
    with torch.inference_mode():
        return network(torch.ones(1, 1, 16, 16, 16))


# Downloading


def test_a_download_needs_consent_and_nothing_is_sent_before(store, server, monkeypatch):
    behavior, url = server
    describe(store, monkeypatch, url=url, size_bytes=1234)
    offers = []
    with pytest.raises(CancelledError, match="was not downloaded because you declined"):
        store.install("small", offers.append)  # append returns None, which is no consent
    assert behavior.requests == []
    (offer,) = offers
    assert (offer.title, offer.url, offer.size_bytes, offer.licence) == ("Small one", url, 1234, "CC0-1.0")
    assert offer.licence_url == "https://example.org/cc0"
    assert offer.folder == store.user_folder / "small"


def test_a_downloaded_model_runs(store, server, weights, monkeypatch):
    description = describe(store, monkeypatch, url=server[1], sha256=sha256(weights))
    assert store.install("small", yes) == ()
    network = load_network(description, store=store)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    expected = torch.load(weights, weights_only=True)["state_dict"]
    assert all(torch.equal(expected[name], value) for name, value in network.state_dict().items())
    assert output(network).shape == (1, 2, 16, 16, 16)
    assert sorted(path.name for path in (store.user_folder / "small").iterdir()) == ["installed.json", "small.pt"]
    assert [path.name for path in store.user_folder.iterdir()] == ["small"]


def test_what_is_here_is_not_fetched_again(store, server, weights, monkeypatch):
    behavior, url = server
    describe(store, monkeypatch, url=url)
    store.install("small", yes)
    asked = len(behavior.requests)
    assert store.install("small", lambda _offer: pytest.fail("asked again")) == ()
    assert len(behavior.requests) == asked


def test_a_model_without_published_checksum_says_so_and_is_watched(store, server, weights, monkeypatch):
    description = describe(store, monkeypatch, url=server[1])
    (notice,) = store.install("small", yes)
    assert "Nobody publishes a checksum of Small one" in notice
    assert sha256(weights) in notice
    with (store.user_folder / "small" / "small.pt").open("ab") as file:
        file.write(b"?")
    with pytest.raises(TumorTwinError, match="not the file that was installed"):
        load_network(description, store=store)


def test_another_file_than_published_is_not_installed(store, server, monkeypatch):
    description = describe(store, monkeypatch, url=server[1], sha256="0" * 64)
    with pytest.raises(TumorTwinError, match="is not the published file"):
        store.install("small", yes)
    assert not store.is_installed(description)


def test_progress_and_cancel_reach_the_caller(store, server, monkeypatch):
    behavior, url = server
    description = describe(store, monkeypatch, url=url)
    progress = []
    with pytest.raises(CancelledError):
        store.install("small", yes, on_progress=lambda *seen: progress.append(seen), cancelled=lambda: True)
    assert not store.is_installed(description)
    store.install("small", yes, on_progress=lambda *seen: progress.append(seen))
    assert progress[-1] == (len(behavior.content), len(behavior.content))
    assert behavior.requests[-1]["Range"].startswith("bytes=")


def test_offline_nothing_is_asked(store, server, monkeypatch):
    behavior, url = server
    describe(store, monkeypatch, url=url)
    monkeypatch.setenv("TUMORTWIN_OFFLINE", "1")
    with pytest.raises(TumorTwinError, match="TUMORTWIN_OFFLINE is set"):
        store.install("small", lambda _offer: pytest.fail("asked"))
    assert behavior.requests == []


@pytest.fixture
def archive(tmp_path, weights):
    path = tmp_path / "small_v1.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(weights, "small/models/small.pt")
        file.writestr("small/models/other_small.pt", b"not this one")
        file.writestr("small/scripts/run.py", b"code")
    return path


def test_weights_are_taken_out_of_an_archive(store, archive, weights, monkeypatch):
    behavior = Behavior(content=archive.read_bytes())
    digest = hashlib.sha1(behavior.content).hexdigest()
    with serving(behavior) as url:
        members = ("models/small.pt",)
        description = describe(store, monkeypatch, url=url, archive_members=members, download_sha1=digest)
        assert store.install("small", yes) == ()
    assert store.weights_file(description).read_bytes() == weights.read_bytes()
    assert sorted(path.name for path in (store.user_folder / "small").iterdir()) == ["installed.json", "small.pt"]


def test_an_archive_without_the_weights_installs_nothing(store, archive, monkeypatch):
    with serving(Behavior(content=archive.read_bytes())) as url:
        description = describe(store, monkeypatch, url=url, archive_members=("other/small.pt",))
        with pytest.raises(TumorTwinError, match=r"has no single other/small.pt"):
            store.install("small", yes)
    assert not store.is_installed(description)


def test_a_hostile_archive_installs_nothing(store, tmp_path, weights, monkeypatch):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(weights, "small/models/small.pt")
        file.writestr("../../evil.py", b"code")
    before = sorted(tmp_path.rglob("*"))
    with serving(Behavior(content=path.read_bytes())) as url:
        describe(store, monkeypatch, url=url, archive_members=("models/small.pt",))
        with pytest.raises(TumorTwinError, match="leads outside"):
            store.install("small", yes)
    assert not [file for file in tmp_path.rglob("evil.py")]
    assert [path for path in sorted(tmp_path.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


# The user's own weights


def test_own_weights_are_imported_for_a_described_model(store, weights):
    description = describe(store)
    assert model_state(description, store) == (NEEDS_FILE, "Small one needs your own small.pt: import it.")
    with pytest.raises(TumorTwinError, match=r"cannot be downloaded: import your own small.pt"):
        store.install("small", yes)
    store.import_weights("small", weights)
    assert model_state(description, store) == (READY, "")
    assert output(load_network(description, store=store)).shape == (1, 2, 16, 16, 16)


def test_weights_of_another_network_are_not_imported(store, tmp_path):
    description = describe(store)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(TumorTwinError, match="small.pt does not fit SegResNet"):
        store.import_weights("small", tmp_path / "other.pt")
    assert not store.is_installed(description)
    assert list(store.user_folder.iterdir()) == []


def test_a_file_put_there_by_hand_is_not_trusted(store, weights):
    description = describe(store)
    folder = store.user_folder / "small"
    folder.mkdir(parents=True)
    (folder / "small.pt").write_bytes(weights.read_bytes())
    with pytest.raises(TumorTwinError, match="was not installed by TumorTwin: import"):
        load_network(description, store=store)


def test_a_folder_that_cannot_be_written(store, weights):
    describe(store)
    store.user_folder.write_text("a file")
    with pytest.raises(TumorTwinError, match="cannot be written .*TUMORTWIN_MODELS"):
        store.import_weights("small", weights)


# What ships


def test_shipped_weights_are_checked_and_not_replaced(store, weights):
    description = describe(store, shipped=True, sha256=sha256(weights))
    assert "missing in" in model_state(description, store)[1]
    (store.shipped_folder / "small.pt").write_bytes(weights.read_bytes())
    assert output(load_network(description, store=store)).shape == (1, 2, 16, 16, 16)
    with pytest.raises(TumorTwinError, match="comes with TumorTwin"):
        store.import_weights("small", weights)
    with (store.shipped_folder / "small.pt").open("ab") as file:
        file.write(b"?")
    with pytest.raises(TumorTwinError, match="SHA-256 differs"):
        load_network(description, store=store)


# What the panel is told


def test_each_state_has_its_words(store, monkeypatch):
    free = describe(store, url="https://example.org/m.pt", size_bytes=38_000_000)
    assert model_state(free, store) == (
        NEEDS_DOWNLOAD,
        "Small one needs a download of about 38 MB, or the import of a copy.",
    )
    unknown = describe(store, url="https://example.org/m.pt")
    assert "of a size that is not published" in model_state(unknown, store)[1]
    monkeypatch.setattr("TumorTwinLib.segmentation.registry.missing_package", lambda _spec: "monai")
    assert model_state(free, store) == (
        NEEDS_PACKAGE,
        "Small one needs the package monai: install it, or choose another model.",
    )


def test_the_list_begins_with_our_own_model():
    models = segmentation_models()
    assert next(iter(models)) == "tumortwin_brain"
    assert models["brats_mri_segmentation"].title == "MONAI BraTS MRI segmentation"
    assert all(model.advice or model.state == READY for model in models.values())


def test_an_absent_nnunet_is_replaced_with_a_notice(store, weights):
    write_description(
        store.shipped_folder / "tumortwin_brain.json",
        replace(
            DESCRIPTION,
            name="tumortwin_brain",
            title="Ours",
            weights=WeightsSource(file="small.pt", shipped=True, licence="Apache-2.0"),
        ),
    )
    write_description(
        store.shipped_folder / "nnunet_brain_tumor.json",
        replace(DESCRIPTION, name="nnunet_brain_tumor", title="nnU-Net", network=NetworkSpec(NNUNET, "PlainConvUNet")),
    )
    (store.shipped_folder / "small.pt").write_bytes(weights.read_bytes())
    description, (notice,) = runnable_model("nnunet_brain_tumor", store)
    assert description.name == "tumortwin_brain"
    assert notice.startswith("nnU-Net needs ")
    assert notice.endswith("Ours was used in its place.")
    assert runnable_model("tumortwin_brain", store)[1] == ()


def test_other_models_are_never_replaced(store):
    describe(store)
    with pytest.raises(TumorTwinError, match=r"Small one needs your own small.pt"):
        runnable_model("small", store)
    with pytest.raises(TumorTwinError, match="no segmentation model 'smal': choose one of small"):
        runnable_model("smal", store)


# Removing


def test_removing_leaves_nothing_and_only_that(store, weights):
    description = describe(store)
    store.import_weights("small", weights)
    (store.user_folder / "notes").mkdir()
    store.remove("small")
    assert not store.is_installed(description)
    assert [path.name for path in store.user_folder.iterdir()] == ["notes"]
    for name in ("small", "notes", "..", "", "../shipped", str(store.shipped_folder)):
        with pytest.raises(TumorTwinError, match=r"nothing to remove|was not made by TumorTwin"):
            store.remove(name)
    assert store.shipped_folder.is_dir()


def test_a_link_is_not_followed_when_removing(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "installed.json").write_text("{}")
    store.user_folder.mkdir()
    os.symlink(outside, store.user_folder / "small")
    with pytest.raises(TumorTwinError, match="nothing to remove"):
        store.remove("small")
    assert (outside / "installed.json").is_file()


def test_a_damaged_description_of_the_users_hides_no_other(store):
    describe(store)
    folder = store.user_folder / "broken"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"name": "broken"}))
    assert list(store.descriptions()) == ["small"]
    with pytest.raises(TumorTwinError, match=r"model.json: "):
        store.description("broken")
