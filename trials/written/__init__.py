"""Calls written as each foreign system writes them: one file a format, so that what a reader gives back can be held against what was there."""
