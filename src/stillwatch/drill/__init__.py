"""Scenarios to logs: documented campaigns planted into benign traffic, with the truth beside them.

    from stillwatch.drill import compose, scenario
    drill = compose.compose(scenario.load("mixed").with_overrides(seed=7, calls=20_000), corpora=None)
    compose.write(drill, Path("log.parquet"))      # and log.truth.parquet
"""
