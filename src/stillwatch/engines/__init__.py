"""Where the definitions run."""
