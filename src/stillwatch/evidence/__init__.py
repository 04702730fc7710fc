"""Statistics that every judge shares: e-values, a placebo, false-discovery control."""
