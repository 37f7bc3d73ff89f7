"""The command `warmcron`."""
