"""Honest stand-ins for what the engine talks to; shared by every test and by the benchmarks."""
