"""Campaigns <-> peers: what leaves, what comes in, and what neither shows of customers."""
