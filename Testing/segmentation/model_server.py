"""A web server of this computer that misbehaves as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behavior:
    """What the server does; changed by tests while it runs."""

    content: bytes = b""
    etag: str = '"first"'
    ranges: bool = True  # does it continue a download?
    break_after: list[int] = field(default_factory=list)  # for each of the next requests: bytes until the line drops
    status: int = 200
    content_type: str = "application/octet-stream"
    location: str = ""  # where a redirect leads
    silent: bool = False  # accepts the request and says nothing
    stalls: bool = False  # where the line would drop it stays open, and nothing more comes
    requests: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serving(behavior: Behavior) -> Iterator[str]:
    """The address of a file on such a server."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behavior.requests.append(dict(self.headers) | {"path": self.path})
            if behavior.silent:
                stop.wait(10)
                return
            if behavior.location or behavior.status >= 400:
                self.send_response(302 if behavior.location else behavior.status)
                self.send_header("Location", behavior.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_file()

        def do_CONNECT(self) -> None:
            behavior.requests.append(dict(self.headers) | {"path": self.path})
            self.send_error(behavior.status)

        def send_file(self) -> None:
            start, total = 0, len(behavior.content)
            asked = self.headers.get("Range")
            if asked and behavior.ranges and self.headers.get("If-Range") == behavior.etag:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= total > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(total - start))
            self.send_header("Content-Type", behavior.content_type)
            if behavior.etag:
                self.send_header("ETag", behavior.etag)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.end_headers()
            body = behavior.content[start:]
            if behavior.break_after:
                body = body[: behavior.break_after.pop(0)]
            self.wfile.write(body)
            self.wfile.flush()
            if len(body) < total - start:
                if behavior.stalls:
                    stop.wait(10)
                time.sleep(0.02)  # lets what was written arrive before the line drops
                self.close_connection = True

        def log_message(self, *_args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/files/model.bin"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
