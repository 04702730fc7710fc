"""Benign classes, one file each: who looks like a campaign without guilt."""
