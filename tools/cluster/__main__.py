"""Makes `python3 tools/cluster VERB` run the command line; it holds no logic of its own."""

import sys
from pathlib import Path

# A folder that is run puts itself first on the path; its parent is what makes `cluster` importable.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cluster import cli  # noqa: E402 - the path has to be set first

if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
