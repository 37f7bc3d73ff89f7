"""Asks an ASGI application in the same process, as a browser would: cookies are kept, redirects are not followed."""

import asyncio
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str
    cookies: list[str]


@dataclass
class Browser:
    app: Any
    host: str = "localhost:8080"
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, form: dict[str, Any] | None = None, **headers: str) -> Reply:
        body = urlencode(form or {}, doseq=True).encode()
        found = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", path, headers=found | headers, body=body)

    async def ask(self, method: str, path: str, *, headers: dict[str, str], body: bytes = b"") -> Reply:
        url = urlsplit(path)
        sent = {"host": self.host, "content-length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        return await self._run(scope, body)

    async def _run(self, scope: dict[str, Any], body: bytes) -> Reply:
        messages: list[dict[str, Any]] = []
        given = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if given:
                return given.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        start = messages[0]
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
        cookies = [value for name, value in pairs if name == "set-cookie"]
        for line in cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel.value and morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        text = b"".join(message.get("body", b"") for message in messages[1:]).decode()
        return Reply(start["status"], dict(pairs), text, cookies)
