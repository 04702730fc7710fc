"""One file a log format: a declaration (`FORMAT`), how it reads, its cases."""
