"""`python -m warmcron`: reads the settings, runs one replica of the operator."""

import asyncio
import sys

import structlog
import uvloop

from warmcron import __version__, config, observe
from warmcron.app import App
from warmcron.errors import ConfigError


async def _run(settings: config.Settings) -> None:
    await App(settings).run()


def main() -> None:
    """Exit codes: 0 told to stop, 1 a fault of ours or of the cluster, 2 settings that cannot be used."""
    try:
        settings = config.load()
        observe.configure_logging(settings.log_level, settings.log_format)
        structlog.get_logger("warmcron").info("starting", version=__version__, pod=settings.pod_name)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except ConfigError as error:
        sys.stderr.write(f"warmcron: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
