"""`python -m warmworker` is `warmworker`; nothing else."""

import sys

from warmworker.cli import main

if __name__ == "__main__":
    sys.exit(main())
