"""Puts the source data at data/raw.csv: the Bikeshare table that the ISLP package carries.

The package is only looked up, never imported, so nothing that it would want (torch and more) has to be installed.
Run it once, then `dvc add data/raw.csv`; it is no stage, because the source data is where the pipeline begins.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

PACKAGED = "ISLP/data/Bikeshare.csv"
SHA256 = "ac6950ae6f11efcc69c29d6bb13e8881c001e27d36434660d59444a1414f712c"
RAW = Path("data/raw.csv")
MEND = "Fix: pip install --no-deps ISLP==0.6.0"


def read_packaged() -> bytes:
    try:
        packaged = next((file for file in files("ISLP") or [] if file.as_posix() == PACKAGED), None)
    except PackageNotFoundError:
        raise SystemExit(f"fetch: the package ISLP, which carries the data, is not installed. {MEND}") from None
    if packaged is None:
        raise SystemExit(f"fetch: the installed ISLP does not list {PACKAGED}. {MEND}")
    return packaged.read_binary()


def main() -> None:
    table = read_packaged()
    if hashlib.sha256(table).hexdigest() != SHA256:
        raise SystemExit(f"fetch: {PACKAGED} is not the table that this example was made with. {MEND}")
    RAW.parent.mkdir(exist_ok=True)
    RAW.write_bytes(table)
    print(f"fetch: {RAW} holds {len(table.splitlines()) - 1:,} hours of 2011, from {PACKAGED}")


if __name__ == "__main__":
    main()
