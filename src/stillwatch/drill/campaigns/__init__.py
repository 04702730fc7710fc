"""Documented campaigns, one file each."""
