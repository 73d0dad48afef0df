"""`python -m tests.model`: explores all worlds, or shows that planted bugs are found."""

from __future__ import annotations

import argparse
import sys

from tests.model import laws
from tests.model.explorer import explore, shown, summary
from tests.model.mutants import MUTANTS, find
from tests.model.settings import OPEN, WORLDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--depth", type=int, default=60, help="steps from the start at most")
    parser.add_argument("--states", type=int, default=20_000, help="states of each world at most")
    parser.add_argument("--only", default="", help="worlds whose name contains this")
    parser.add_argument("--mutants", action="store_true", help="plant bugs, and see whether they are found")
    parser.add_argument(
        "--open",
        default=",".join(OPEN),
        help="laws that are not looked at, by the beginnings of their names, with commas",
    )
    asked = parser.parse_args()
    if asked.mutants:
        return int(not plant_all(asked.states, asked.depth))
    broken = False
    for world in WORLDS:
        if asked.only in world.setting.name:
            found = explore(
                world,
                depth=asked.depth,
                states=asked.states,
                open_laws=[law for law in laws.ALL if any(law.startswith(one) for one in asked.open.split(",") if one)],
            )
            print(summary(found), flush=True)
            for violation in found.violations:
                print(shown(violation))
            broken |= bool(found.violations)
    return int(broken)


def plant_all(states: int, depth: int) -> bool:
    """Whether each planted bug is found; prints by which law, in how many steps."""
    caught = 0
    for mutant in MUTANTS:
        found = find(mutant, states=states, depth=depth)
        caught += found is not None
        print(f"{'found' if found else 'NOT FOUND':<9} {mutant.name}", flush=True)
        if found is not None:
            first = found.violations[0]
            print(f"          in {found.name}, after {len(first.story)} steps and {found.states:,} states: {first.law}")
    print(f"{caught} of {len(MUTANTS)} planted bugs found")
    return caught == len(MUTANTS)


if __name__ == "__main__":
    sys.exit(main())
