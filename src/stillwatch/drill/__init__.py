"""Scenarios to logs: documented campaigns planted into benign traffic, with the truth beside them.

    drill = compose.compose(scenario.load("mixed").with_overrides(seed=7, calls=20_000), corpora=None)
    compose.write(drill, Path("log.parquet"))

The second line also writes log.truth.parquet.
"""
