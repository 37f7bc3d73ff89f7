"""Tells somebody outside what a person should know: a webhook on failure, recovery and missed ticks."""
