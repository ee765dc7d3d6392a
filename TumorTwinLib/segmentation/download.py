"""Downloading one large file: continued where it broke, checked, in place only when whole, and every failure explained.

The standard library's ``urllib`` takes the proxy and the certificates from the operating system and its environment
variables (``HTTPS_PROXY``, ``SSL_CERT_FILE``), as hospital networks need.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.version import VERSION

_CHUNK = 2**16
_MOST_BYTES = 8 * 2**30
_TRIES = 3  # connections in a row that bring nothing new before it is given up
_OFFLINE = "or bring the file from another computer and import it"
OnProgress = Callable[[int, int | None], None]  # bytes that have arrived, bytes in all where the server says


@dataclass(frozen=True)
class Checksum:
    """``algorithm`` is a name of ``hashlib``, ``digest`` is lower case hex."""

    algorithm: str
    digest: str


def download(
    url: str,
    target: Path,
    *,
    checksum: Checksum | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    timeout_s: float = 20.0,
) -> None:
    """Bring ``url`` to ``target``.

    What has arrived is kept in ``target`` + ``.part`` when the connection breaks or the user cancels, and the next call
    continues there, provided the server still has the same file.

    Args:
        url: https; http is taken from this computer only.
        checksum: what the whole file must have.
        cancelled: asked with every 64 kB.
        timeout_s: how long the server may be silent.

    Raises:
        TumorTwinError: with one sentence: what is wrong and what to do.
        CancelledError: ``cancelled`` said so.
    """
    transfer = _Transfer(url, target, on_progress, cancelled, timeout_s)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        idle = 0
        while not transfer.complete:
            before = transfer.received
            broken = transfer.connect()
            if broken is not None:
                if cancelled():
                    raise CancelledError(f"The download from {transfer.host} was cancelled; what arrived is kept.")
                idle = 0 if transfer.received > before else idle + 1
                if idle >= _TRIES:
                    raise broken
                time.sleep(0.2 * idle)
        _check(transfer.part, checksum, url)
        os.replace(transfer.part, target)
        transfer.note.unlink(missing_ok=True)
    except OSError as error:
        raise TumorTwinError(_disk_sentence(error, target)) from error


class _Transfer:
    """What has arrived of one file, on disk, and the note of which file on the server it is part of."""

    def __init__(
        self,
        url: str,
        target: Path,
        on_progress: OnProgress | None,
        cancelled: Callable[[], bool],
        timeout_s: float,
    ) -> None:
        _check_address(url)
        self.url = url
        self.host = urlsplit(url).hostname or url
        self.part = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")
        self.on_progress, self.cancelled, self.timeout_s = on_progress, cancelled, timeout_s
        self.complete = False

    @property
    def received(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def connect(self) -> TumorTwinError | None:
        """Receive until the end, or return why it broke where trying again may help.

        Raises:
            TumorTwinError: trying again cannot help.
        """
        version = self._noted_version()
        start = self.received if version else 0
        request = urllib.request.Request(self.url, headers={"User-Agent": f"TumorTwin/{VERSION}"})
        if start:
            request.add_header("Range", f"bytes={start}-")
            request.add_header("If-Range", version)  # the server sends the whole file if it is another one by now
        try:
            with _opener().open(request, timeout=self.timeout_s) as response:
                return self._receive(response, start)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                self._forget()
                return TumorTwinError(f"{self.host} has another file than the part that is here: try again.")
            sentence = _status_sentence(error.code, self.url, self.host)
            if error.code >= 500:
                return TumorTwinError(sentence)
            raise TumorTwinError(sentence) from error
        except urllib.error.URLError as error:
            return self._broken(error.reason if isinstance(error.reason, Exception) else error)
        except (TimeoutError, ConnectionError, http.client.HTTPException, ssl.SSLError) as error:
            return self._broken(error)

    def _receive(self, response: Any, start: int) -> TumorTwinError | None:
        continued = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if not continued:
            start = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            self._forget()
            return TumorTwinError(f"{self.host} sent another part of the file than was asked for: try again.")
        if response.headers.get_content_type() == "text/html":
            raise TumorTwinError(
                f"{self.host} sent a web page instead of the file, as a network does that wants you to log in: "
                f"open the address in a browser, {_OFFLINE}."
            )
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdecimal() else None
        self._check_room(total, start)
        # A weak ETag promises a like file, not the same bytes.
        etag = response.headers.get("ETag", "")
        version = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        self.note.write_text(json.dumps({"url": self.url, "version": version}), encoding="utf-8")
        received = start
        with self.part.open("ab" if continued else "wb") as file:
            while chunk := response.read1(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                if received > _MOST_BYTES:
                    raise TumorTwinError(f"{self.host} sends more than a model can have: check {self.url}.")
                if self.cancelled():
                    raise CancelledError(f"The download from {self.host} was cancelled; what arrived is kept.")
                if self.on_progress is not None:
                    self.on_progress(received, total)
        if total is not None and received < total:
            return self._broken(ConnectionError("the connection ended early"))
        self.complete = True
        return None

    def _noted_version(self) -> str:
        """The server's mark for the version of the file that the part belongs to; empty where that is not known."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            return str(note["version"]) if note["url"] == self.url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _check_room(self, total: int | None, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - start > free:
            raise OSError(errno.ENOSPC, f"{(total - start) / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free")

    def _broken(self, reason: Exception) -> TumorTwinError:
        """Why it broke, in words; raised where trying again cannot help."""
        text = str(reason)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise TumorTwinError(
                f"The certificate of {self.host} is not trusted, as where a hospital inspects the traffic: set "
                f"SSL_CERT_FILE to your institution's certificates, {_OFFLINE}."
            ) from reason
        if "Tunnel connection failed" in text:
            raise TumorTwinError(
                f"The proxy refused the way to {self.host} ({text.rpartition(': ')[2]}): ask for access or put your "
                f"name and password into HTTPS_PROXY, {_OFFLINE}."
            ) from reason
        if isinstance(reason, TimeoutError):
            return TumorTwinError(
                f"{self.host} did not answer within {self.timeout_s:g} s: try again later, when the download continues "
                f"where it stopped, {_OFFLINE}."
            )
        if "getaddrinfo" in text or "Name or service" in text or "nodename" in text or "name resolution" in text:
            return TumorTwinError(
                f"{self.host} was not found: check the network and, behind a proxy, HTTPS_PROXY, {_OFFLINE}."
            )
        return TumorTwinError(
            f"The connection to {self.host} broke ({text or type(reason).__name__}): try again, when the download "
            f"continues where it stopped, {_OFFLINE}."
        )


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where the address itself would be accepted."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """http, https, proxies and redirects; unlike ``urlopen`` no files, FTP or data addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SafeRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"}
    if not (parts.hostname and (parts.scheme == "https" or local)):
        raise TumorTwinError(f"{url} is no https address, so it is not downloaded: correct the model's description.")


def _status_sentence(status: int, url: str, host: str) -> str:
    if status == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return f"The proxy wants a name and a password: put them into HTTPS_PROXY, {_OFFLINE}."
    if status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
        return f"{host} refuses to hand out {url} (status {status}): a proxy may block it, {_OFFLINE}."
    if status in {http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE}:
        return f"{url} is no longer there (status {status}): look for a newer TumorTwin, {_OFFLINE}."
    return f"{host} answered with status {status}: try again later, {_OFFLINE}."


def _disk_sentence(error: OSError, target: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"There is not enough room in {target.parent} ({error.strerror}): free some or set TUMORTWIN_MODELS."
    return f"{target} cannot be written ({error.strerror or error}): check the folder or set TUMORTWIN_MODELS."


def _check(part: Path, checksum: Checksum | None, url: str) -> None:
    if checksum is None:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, checksum.algorithm).hexdigest()
    if found != checksum.digest:
        part.unlink()
        raise TumorTwinError(
            f"What {url} gave is not the published file (its {checksum.algorithm.upper()} differs), so it was deleted: "
            f"try again, {_OFFLINE}."
        )
