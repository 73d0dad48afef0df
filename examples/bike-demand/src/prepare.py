"""Stage prepare: data/raw.csv becomes data/processed/train.csv and test.csv, split by time and never at random.

`casual` and `registered` are left out: they add up to `bikers`, the very number to be predicted.
"""

from __future__ import annotations

import csv
from pathlib import Path

import yaml

RAW = Path("data/raw.csv")
PROCESSED = Path("data/processed")
FEATURES = ["season", "weekday", "workingday", "holiday", "hr", "weathersit", "temp", "atemp", "hum", "windspeed"]
TARGET = "bikers"
WEATHER = {"clear": "0", "cloudy/misty": "1", "light rain/snow": "2", "heavy rain/snow": "3"}  # the worse, the higher

Row = dict[str, str]


def read_hours() -> list[Row]:
    with RAW.open(newline="", encoding="utf-8") as file:
        return [{**row, "weathersit": WEATHER[row["weathersit"]]} for row in csv.DictReader(file)]


def write_hours(path: Path, hours: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FEATURES, TARGET], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(hours)


def main() -> None:
    test_days = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["prepare"]["test_days"]
    hours = read_hours()
    first_test_day = max(int(row["day"]) for row in hours) - test_days + 1

    train = [row for row in hours if int(row["day"]) < first_test_day]
    test = [row for row in hours if int(row["day"]) >= first_test_day]
    if not train or not test:
        raise SystemExit(f"prepare: prepare.test_days is {test_days}, which leaves nothing to learn from or judge by.")

    PROCESSED.mkdir(parents=True, exist_ok=True)
    write_hours(PROCESSED / "train.csv", train)
    write_hours(PROCESSED / "test.csv", test)
    print(f"prepare: {len(train):,} hours to learn from, {len(test):,} held out from day {first_test_day}", flush=True)


if __name__ == "__main__":
    main()
