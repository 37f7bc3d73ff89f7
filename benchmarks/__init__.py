"""The benchmark: real API server, real workers, real operator, beside what users would pick instead."""
