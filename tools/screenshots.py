"""Takes the pictures of the dashboard that the docs show, over a made-up cluster. It changes nothing but docs/images.

usage: .venv/bin/python tools/screenshots.py [FOLDER]
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests")]

from playwright.sync_api import Browser, sync_playwright  # noqa: E402 - after the path

from browser import chromium  # noqa: E402
from browser.serve import Served  # noqa: E402
from fakes.web import cluster  # noqa: E402

# name: path, width, height, theme, language
PICTURES: Final[dict[str, tuple[str, int, int, str, str]]] = {
    "dashboard-overview": ("/", 1280, 860, "light", "en-US"),
    "dashboard-tasks": ("/tasks", 1280, 800, "light", "en-US"),
    "dashboard-task": ("/tasks/ops/backup-verify", 1280, 860, "light", "en-US"),
    "dashboard-run": ("/runs/{live}", 1280, 800, "dark", "en-US"),
    "dashboard-workers": ("/workers", 1280, 640, "dark", "en-US"),
    "dashboard-zh": ("/", 1280, 860, "dark", "zh-CN"),
    "dashboard-phone": ("/tasks", 390, 844, "light", "en-US"),
}


def main(folder: Path) -> None:
    """Takes every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.ensured(), args=chromium.options())
        source = cluster(10)
        with Served(source) as served:
            live = source.rows["search", "reindex"].active[0]
            for name, (path, width, height, theme, language) in PICTURES.items():
                file, url = folder / f"{name}.png", served.url + path.format(live=live)
                _take(browser, url, file, size=(width, height), theme=theme, language=language)
        browser.close()


def _take(browser: Browser, url: str, file: Path, *, size: tuple[int, int], theme: str, language: str) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale=language,
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    page.screenshot(path=file)
    context.close()
    print(f"{file.name}: {file.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
