"""The ledger: takes entries by POST, numbers them in the order of arrival, gives them all by GET. In memory only."""

import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

entries: list[dict[str, object]] = []
lock = threading.Lock()


class Ledger(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with lock:
            self.answer(json.dumps(entries).encode())

    def do_POST(self) -> None:
        entry = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with lock:
            entries.append({**entry, "number": len(entries), "arrived": time.time()})
        self.answer(b"{}")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing: the kubelet asks every second."""


class Server(ThreadingHTTPServer):
    request_queue_size = 512  # the usual five make a herd wait a second for its next try to connect


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(("", 8080), Ledger).serve_forever()
