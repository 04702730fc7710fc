"""Kinds of tables that are folders of files with a log of what counts, one a file; `declare.py` says what one is."""
