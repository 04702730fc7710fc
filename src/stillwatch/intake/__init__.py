"""Logs in, marks out: formats read into LogCalls, identifiers hashed, and here text ends."""
