"""Kinds of places where logs live, one a file; `declare.py` says what one is."""
