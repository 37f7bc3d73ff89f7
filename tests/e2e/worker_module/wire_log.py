"""A worker of the plainest kind that writes down every connection and every request, and shows them at /wire."""

import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

entries: list[dict[str, Any]] = []
lock = threading.Lock()


def write(peer: str, **more: Any) -> None:
    with lock:
        entries.append({"peer": peer, "at": time.time(), **more})


class Wire(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def take(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path in ("/readyz", "/livez"):
            self.answer(200, b"{}")
        elif self.path == "/wire":
            with lock:
                self.answer(200, json.dumps(entries).encode())
        else:
            head = dict(self.headers.items())
            write(self.client_address[0], method=self.command, path=self.path, head=head, body=body.decode("latin-1"))
            self.answer(200 if self.path == "/api/task/execute" else 404, b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = take  # noqa: N815 - the names that http.server looks for

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing: the kubelet asks every second."""


class Server(ThreadingHTTPServer):
    request_queue_size = 512

    def verify_request(self, request: Any, client_address: Any) -> bool:
        write(client_address[0], connected=True)
        return True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(("", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Wire).serve_forever()
