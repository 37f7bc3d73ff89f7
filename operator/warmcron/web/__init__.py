"""The dashboard: server-rendered pages over what the engine and the history know; it keeps no state of its own."""
