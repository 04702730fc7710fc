"""Doors: parse, build, call the flow, print."""
