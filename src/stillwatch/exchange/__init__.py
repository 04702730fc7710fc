"""Campaigns to peers and back: what may leave, to whom, and how each proves who it is."""
