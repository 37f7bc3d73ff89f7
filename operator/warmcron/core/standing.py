"""What is said of a worker that gets no run: sentences with blanks, to be said in another language too."""

import re
from typing import Final

BLANK: Final = re.compile(r"\{(\w+)\}")  # a name and nothing else: no attribute, no index

NOT_READY: Final = "not ready"
NOT_READY_FOR: Final = "not ready: {reason}"
NOT_HEARD: Final = "has not yet said what it can do"
UNKNOWN_HANDLER: Final = "handler not registered"
FAILED_HERE: Final = "an earlier attempt failed here"
BUSY: Final = "busy"
FULL: Final = "full: {runs} runs"
# Of its pod; otherwise it is the kubelet's word that is told.
TERMINATING: Final = "terminating"
NO_PHASE: Final = "no phase yet"
NO_PORT: Final = "no container port is named {port}"
NO_ADDRESS: Final = "no address yet"
HOST_NETWORK: Final = "on the host's network"
FOREIGN_ADDRESS: Final = "{address} is not a pod's address"
STARTING: Final = "starting"

SENTENCES: Final = (
    NOT_READY_FOR,
    NOT_READY,
    NOT_HEARD,
    UNKNOWN_HANDLER,
    FAILED_HERE,
    BUSY,
    FULL,
    TERMINATING,
    NO_PHASE,
    NO_PORT,
    NO_ADDRESS,
    HOST_NETWORK,
    FOREIGN_ADDRESS,
    STARTING,
)


def filled(sentence: str, **values: object) -> str:
    """A sentence with what belongs into its blanks."""
    return BLANK.sub(lambda found: str(values[found[1]]), sentence)
