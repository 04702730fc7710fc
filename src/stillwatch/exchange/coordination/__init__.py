"""Members tell one another of the same case, correct what they said and keep quiet for a while. Each decides alone: nothing here counts voices or acts."""
