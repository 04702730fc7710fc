"""Campaigns <-> peers: what members tell one another, and how they match what they must not show."""
