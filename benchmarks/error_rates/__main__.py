"""How often each decision rule claims what is not there, and how many trials it needs for what is.

python benchmarks/error_rates              # all tables, about 6 min on one core
python benchmarks/error_rates --studies 200 --tables false-claims
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tables import (
    equivalence_table,
    false_claims_table,
    looks_table,
    points_table,
    pooling_table,
    trials_table,
)

TABLES: dict[str, Callable[[int], str]] = {
    "false-claims": false_claims_table,
    "trials": trials_table,
    "points": points_table,
    "looks": looks_table,
    "pooling": pooling_table,
    "equivalence": equivalence_table,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="of each setting and layout")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    args = parser.parse_args()
    for name in args.tables:
        print(TABLES[name](args.studies), flush=True)


if __name__ == "__main__":
    main()
