"""When Python's garbage collector goes through what exists: never through 100,000 tasks, which would take a second.

Tasks are trees: what they no longer need goes at once, without it. What is young is gone through as ever.
"""

import gc

_SELDOM = 1_000_000


def spare() -> None:
    """Called before everything is read: what is there now stays, and what comes is not gone through as it grows."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _SELDOM)


def keep() -> None:
    """Called now and then while much is made that stays: what has been made up to now is not gone through again."""
    gc.freeze()


def settle() -> None:
    """Called when everything has been read: it stays as well, and from now on all that is new is gone through."""
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 10)
