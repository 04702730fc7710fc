"""Who takes part: a signed directory of members, and signatures over messages."""
