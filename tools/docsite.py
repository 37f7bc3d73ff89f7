#!/usr/bin/env python3
"""`make docs`: stages every page, and every file that a page shows, in the layout of the repository; builds the site.

The pages link to each other and to files as they do on a forge; staged side by side, the same links work in the site.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "build" / "pages"
SHOWN = ("docs", "examples", "crds", "*.md", "charts/warmcron/README.md", "worker_image/README.md", "LICENSE")


def stage() -> None:
    """Copies what the site is made of."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for pattern in SHOWN:
        for source in sorted(ROOT.glob(pattern)):
            files = source.rglob("*") if source.is_dir() else (source,)
            for file in files:
                if file.is_file() and "__pycache__" not in file.parts:
                    target = PAGES / file.relative_to(ROOT)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)

    for folder in sorted(path for path in PAGES.rglob("*") if path.is_dir()):
        if not any((folder / name).exists() for name in ("index.md", "README.md")):
            (folder / "index.md").write_text(listing(folder))


def listing(folder: Path) -> str:
    """The page of a folder without one; a forge lists folders by itself."""
    lines = [f"# {folder.relative_to(PAGES)}", ""]
    for entry in sorted(folder.iterdir()):
        title = entry.read_text().splitlines()[0].lstrip("# ") if entry.suffix == ".md" else entry.name
        lines.append(f"- [{title}]({entry.name}{'/index.md' if entry.is_dir() else ''})")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Stages and builds; says where the site is."""
    stage()
    program = Path(sys.executable).with_name("zensical")
    # Zensical keeps a folder .cache beside its settings and empties it: not ours, where the kubeconfig is.
    build = PAGES.parent
    shutil.copyfile(ROOT / "mkdocs.yml", build / "mkdocs.yml")
    subprocess.run([program, "build", "--clean", "-f", "mkdocs.yml"], cwd=build, check=True, stdout=sys.stderr)
    sys.stdout.write(f"{ROOT / 'build' / 'site' / 'index.html'}\n")


if __name__ == "__main__":
    main()
