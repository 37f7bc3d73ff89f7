"""The decisions: no clock, no I/O, no event loop, no Kubernetes in here."""
