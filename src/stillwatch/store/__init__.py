"""What is kept: the hashing key, sealed names, scans that appear whole or not at all."""
