"""The document leaves this stage out: it writes the three files that src/train.py and dvc.yaml read."""

import csv
import pickle
from pathlib import Path

import numpy as np

rows = list(csv.DictReader(Path('data/raw.csv').open()))
hours = np.array([[float(row['hour']), float(row['day'])] for row in rows])
rides = np.array([float(row['rides']) for row in rows])
Path('data/processed.csv').write_text('\n'.join(f'{hour},{day}' for hour, day in hours) + '\n')
Path('data/processed.csv.pkl').write_bytes(pickle.dumps(hours))
Path('data/labels.pkl').write_bytes(pickle.dumps(rides))
