"""Published detectors of model extraction, each in a small file: a number for a window of vectors, the same arithmetic as its authors', no threshold."""
