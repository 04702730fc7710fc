"""Tails of statistics among innocents, told by members to one another."""
