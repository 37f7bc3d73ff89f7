"""A worker without the SDK: any HTTP server is one if it takes POST /api/task/execute and answers 200 when done."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def greet(payload: dict[str, str]) -> dict[str, str]:
    return {"greeting": f"hello {payload.get('name', 'world')}"}


HANDLERS = {"greet": greet}


class Worker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the operator's connection open between runs

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/readyz" else 404, {})

    def do_POST(self) -> None:
        run = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        if self.path != "/api/task/execute" or run.get("handler") not in HANDLERS:
            return self.answer(404, {"detail": "unknown handler"})  # fails the run for good, without a retry
        try:
            result = HANDLERS[run["handler"]](run.get("payload") or {})
        except Exception as error:  # noqa: BLE001 - the operator decides whether it is tried again
            return self.answer(500, {"detail": f"{type(error).__name__}: {error}"})
        return self.answer(200, {"outcome": "Succeeded", "result": result})

    def answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    ThreadingHTTPServer(("", port), Worker).serve_forever()
