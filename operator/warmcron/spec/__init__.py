"""What users and workers write: the borders of the system, in pydantic models."""
