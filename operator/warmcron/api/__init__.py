"""The HTTP API under /api/v1: who asks is checked by the cluster, what is asked goes to memory and to the history."""
