"""Down the resale chain: a provider asks the reseller whose calls these were, and learns what was done and not who it was."""
