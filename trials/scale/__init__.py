"""A log at the size of the largest disclosed campaign, made quickly, and the benchmark around it."""
