"""Campaigns planted into innocent traffic, scanned, and compared with the truth: the parts of trials/trial.py."""
