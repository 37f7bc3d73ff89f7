"""The two ways in which this tool gives up; raising them ends nothing that is running."""


class ClusterError(Exception):
    """Something went wrong while making the cluster; the message says what, and where the log is."""

    exit_code = 1


class CannotInstallError(ClusterError):
    """Something is missing here that this tool may not or cannot install."""

    exit_code = 2
