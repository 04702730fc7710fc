"""A cluster's columns to Evidence; one file a pattern. To add one, write a file that declares `DETECTOR`."""
