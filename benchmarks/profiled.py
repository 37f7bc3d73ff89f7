"""The operator under cProfile: `BENCH_PROFILE=1` writes one profile for each replica into the run's folder."""

import cProfile
import sys
import time

from warmcron.__main__ import main

if __name__ == "__main__":
    target = sys.argv.pop(1)
    profile = cProfile.Profile(time.thread_time)  # CPU, not time: the machine is never quiet
    try:
        profile.runcall(main)
    finally:
        profile.dump_stats(target)
