"""What was said and done, unforgeable: a Merkle log of digests, signed checkpoints, witnesses and timestamps."""
