"""Stands before a worker and passes everything on, but loses the answer to each run whose payload says `lose`."""

import http.client
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORKER = ("127.0.0.1", 8081)
PASSED_ON = ("content-type", "retry-after", "location")


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        there = http.client.HTTPConnection(*WORKER, timeout=30)
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        content = answer.read()
        there.close()
        if self.path == "/api/task/execute" and b'"lose":true' in body:
            self.close_connection = True  # the worker has done its part, and nobody hears of it
            return
        self.send_response(answer.status)
        for name in PASSED_ON:
            if value := answer.headers.get(name):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = pass_on  # noqa: N815 - the names that http.server looks for

    def log_message(self, *args: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer(("", 8080), Proxy).serve_forever()
