"""The tool behind `make cluster`, `cluster-down` and `images`; no part of the operator imports it."""
