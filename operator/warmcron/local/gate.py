"""Leadership in the embedded mode, where nobody else stands for election. It decides nothing."""


class Gate:
    """Leadership of one who is alone: open from the start to the stop."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self.open = True

    @property
    def epoch(self) -> int:
        """How often this folder was started."""
        return self._epoch

    def may_send(self) -> bool:
        """Whether we are not stopping."""
        return self.open
