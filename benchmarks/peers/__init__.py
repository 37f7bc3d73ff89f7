"""What users would pick instead, and the floor below which nobody gets on this machine."""
