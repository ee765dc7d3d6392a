"""Downloads from a server that breaks off, lies, is silent or is not there."""

from __future__ import annotations

import errno
import hashlib
import random
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from Testing.segmentation.model_server import Behavior, serving
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.segmentation import download as module
from TumorTwinLib.segmentation.download import Checksum, download

CONTENT = random.Random(1).randbytes(300_000)
RIGHT = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def no_proxy_of_this_computer(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def behavior():
    return Behavior(content=CONTENT)


@pytest.fixture
def url(behavior):
    with serving(behavior) as address:
        yield address


@pytest.fixture
def target(tmp_path):
    return tmp_path / "models" / "model.pt"


def left_behind(target):
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.is_dir() else []


def test_a_file_arrives_whole_with_progress(url, target):
    progress = []
    download(url, target, checksum=RIGHT, on_progress=lambda done, total: progress.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert left_behind(target) == ["model.pt"]
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert progress == sorted(progress)
    assert len(progress) >= 4


def test_a_line_that_drops_twice_is_continued_where_it_was(url, behavior, target):
    behavior.break_after = [100_000, 50_000]
    download(url, target, checksum=RIGHT)
    assert target.read_bytes() == CONTENT
    starts = [request.get("Range") for request in behavior.requests]
    assert starts == [None, "bytes=100000-", "bytes=150000-"]


def test_the_next_call_continues_where_the_last_gave_up(url, behavior, target):
    behavior.break_after = [100_000, 0, 0, 0]
    with pytest.raises(TumorTwinError, match=r"The connection to 127.0.0.1 broke .* continues where it stopped"):
        download(url, target, checksum=RIGHT)
    assert left_behind(target) == ["model.pt.part", "model.pt.part.json"]
    behavior.requests.clear()
    download(url, target, checksum=RIGHT)
    assert target.read_bytes() == CONTENT
    assert [request.get("Range") for request in behavior.requests] == ["bytes=100000-"]


def test_a_part_of_an_older_version_is_not_continued(url, behavior, target):
    behavior.break_after = [100_000, 0, 0, 0]
    with pytest.raises(TumorTwinError):
        download(url, target)
    behavior.content = CONTENT[::-1]
    behavior.etag = '"second"'
    download(url, target)
    assert target.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"weak"'}])
def test_a_server_that_cannot_continue_starts_over(url, behavior, target, change):
    for name, value in change.items():
        setattr(behavior, name, value)
    behavior.break_after = [100_000]
    download(url, target, checksum=RIGHT)
    assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_over(url, behavior, target):
    behavior.break_after = [100_000, 0, 0, 0]
    with pytest.raises(TumorTwinError):
        download(url, target)
    behavior.content = CONTENT[:50_000]
    download(url, target)
    assert target.read_bytes() == CONTENT[:50_000]


def test_another_file_than_published_is_deleted(url, behavior, target):
    behavior.content = CONTENT[:-1] + b"?"
    with pytest.raises(TumorTwinError, match=r"not the published file \(its SHA256 differs\), so it was deleted"):
        download(url, target, checksum=RIGHT)
    assert left_behind(target) == ["model.pt.part.json"]
    behavior.content = CONTENT
    behavior.etag = '"repaired"'
    download(url, target, checksum=RIGHT)
    assert left_behind(target) == ["model.pt"]


def test_cancelling_keeps_what_arrived(url, target):
    seen = []
    with pytest.raises(CancelledError, match="cancelled; what arrived is kept"):
        download(url, target, on_progress=lambda done, _total: seen.append(done), cancelled=lambda: len(seen) >= 2)
    assert 0 < (target.parent / "model.pt.part").stat().st_size < len(CONTENT)
    download(url, target, checksum=RIGHT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, r"no longer there \(status 404\)"),
        (403, r"refuses to hand out .* \(status 403\): a proxy may block it"),
        (407, "proxy wants a name and a password: put them into HTTPS_PROXY"),
        (503, r"answered with status 503: try again later"),
    ],
)
def test_refusals_are_said_in_words(url, behavior, target, status, words):
    behavior.status = status
    with pytest.raises(TumorTwinError, match=words) as caught:
        download(url, target)
    assert "import it" in str(caught.value)
    assert len(behavior.requests) == (3 if status >= 500 else 1)  # asking again helps only where the server is ill


def test_a_login_page_is_not_taken_for_the_file(url, behavior, target):
    behavior.content, behavior.content_type = b"<html>Please log in</html>", "text/html; charset=utf-8"
    with pytest.raises(TumorTwinError, match="sent a web page instead of the file"):
        download(url, target)
    assert left_behind(target) == []


def test_a_silent_server_is_given_up(url, behavior, target):
    behavior.silent = True
    with pytest.raises(TumorTwinError, match=r"127.0.0.1 did not answer within 0.1 s"):
        download(url, target, timeout_s=0.1)


def test_a_server_that_falls_silent_is_asked_again(url, behavior, target):
    behavior.stalls, behavior.break_after = True, [100_000]
    download(url, target, checksum=RIGHT, timeout_s=0.1)
    assert [request.get("Range") for request in behavior.requests] == [None, "bytes=100000-"]


def test_cancelling_works_while_the_server_is_silent(url, behavior, target):
    behavior.silent = True
    with pytest.raises(CancelledError):
        download(url, target, timeout_s=0.1, cancelled=lambda: bool(behavior.requests))
    assert len(behavior.requests) == 1


def test_a_host_that_does_not_exist(target, monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(TumorTwinError, match=r"models.invalid was not found: check the network and, behind a proxy"):
        download("https://models.invalid/model.pt", target)


def test_nobody_listening(target):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TumorTwinError, match="The connection to 127.0.0.1 broke"):
        download(f"http://127.0.0.1:{port}/model.pt", target)


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses(behavior, url, target, monkeypatch, status):
    behavior.status = status
    monkeypatch.setenv("https_proxy", url.rpartition("/files")[0])
    with pytest.raises(TumorTwinError, match=rf"The proxy refused the way to models.example \({status} .*HTTPS_PROXY"):
        download("https://models.example/model.pt", target)
    assert [request["path"] for request in behavior.requests] == ["models.example:443"]


def test_a_certificate_nobody_knows(target, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is absent: no certificate can be made for the test")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with pytest.raises(TumorTwinError, match="certificate of localhost is not trusted.*SSL_CERT_FILE"):
            download(f"https://localhost:{server.server_port}/model.pt", target)
    finally:
        server.shutdown()
        server.server_close()


def test_a_disk_without_room_is_noticed_before(url, behavior, target, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(TumorTwinError, match=r"not enough room in .*models .*free some or set TUMORTWIN_MODELS"):
        download(url, target)
    assert left_behind(target) == []


def test_a_disk_that_fills_is_said_in_words(url, target, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(TumorTwinError, match=r"not enough room .*No space left on device"):
        download(url, target)


def test_a_folder_that_cannot_be_made(url, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TumorTwinError, match="cannot be written"):
        download(url, tmp_path / "file" / "model.pt")


@pytest.mark.parametrize(
    "address",
    ["http://models.example/m.pt", "file:///etc/passwd", "ftp://models.example/m.pt", "data:,x", "model.pt",
     "http://localhost.evil.example/m.pt", "http://127.0.0.1@evil.example/m.pt"],
)  # fmt: skip
def test_only_https_is_asked(address, target):
    with pytest.raises(TumorTwinError, match="is no https address"):
        download(address, target)


@pytest.mark.parametrize("address", ["http://models.example/m.pt", "file:///etc/passwd"])
def test_a_redirect_does_not_leave_https(url, behavior, target, address):
    behavior.location = address
    with pytest.raises(TumorTwinError, match="is no https address|answered with status 302"):
        download(url, target)
    assert not target.exists()


def test_more_than_any_model_is_not_taken(url, target, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", 100_000)
    with pytest.raises(TumorTwinError, match="sends more than a model can have"):
        download(url, target)
    assert not target.exists()
