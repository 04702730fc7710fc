"""The report: one self-contained page, rendered from what campaigns.jsonl and summary.json hold."""
