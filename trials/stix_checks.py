"""How many STIX objects a second our compiled checks judge, and stix2-validator in strict mode, in one run and on the same objects.

`PYTHONPATH=src:tests python trials/stix_checks.py` (needs stillwatch[exchange-tests]); `--rounds N` draws N objects of every kind.
"""

from __future__ import annotations

import argparse
import json
import logging
import time

from stix2validator import ValidationOptions, validate_parsed_json

from exchange.corpus import objects
from stillwatch.exchange.stix.checks import problems

TIMES = 5
"Our checks go over the objects so often, to take long enough to be measured."


def main() -> None:
    """Prints objects a second of CPU time, and the ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    given = options.parse_args()
    logging.disable(logging.CRITICAL)
    made = objects(1, given.rounds)
    begun = time.process_time()
    for _ in range(TIMES):
        assert not any(problems(each) for each in made)
    ours = TIMES * len(made) / (time.process_time() - begun)
    strict = ValidationOptions(strict=True, version="2.1")
    begun = time.process_time()
    assert all(validate_parsed_json(each, strict).is_valid for each in made)
    theirs = len(made) / (time.process_time() - begun)
    print(json.dumps({"objects": len(made), "ours_per_second": round(ours), "validator_per_second": round(theirs), "ratio": round(ours / theirs, 1)}))


if __name__ == "__main__":
    main()
