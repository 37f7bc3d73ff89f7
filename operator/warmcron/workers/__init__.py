"""Everything that talks to worker pods."""
