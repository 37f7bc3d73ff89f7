"""The embedded mode: the cluster's engine on one machine, with files for objects and processes for pods."""
