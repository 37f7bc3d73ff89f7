"""The version, read from the installed package; never written twice."""

from importlib import metadata

try:
    VERSION = metadata.version("warmworker")
except metadata.PackageNotFoundError:  # run from a checkout
    VERSION = "0+unknown"
