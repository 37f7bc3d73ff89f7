"""The operator as its image has it: without the package `kubernetes`, which kopf would load and only tests need."""

import sys
from typing import Any, cast

cast("Any", sys.modules)["kubernetes"] = None  # which makes its import fail

from warmcron.__main__ import main  # noqa: E402 - after the line above

if __name__ == "__main__":
    main()
