"""Tables of a run, between markers in a page."""


def tell(a, b):
    """Later."""
