"""Statistics that every judge shares: e-values, exact tails, false-discovery control."""
