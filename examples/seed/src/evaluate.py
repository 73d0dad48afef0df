"""The document leaves this stage out: it measures the model that src/train.py wrote."""

import json
import pickle
from pathlib import Path

import numpy as np

model = pickle.loads(Path('models/model.pkl').read_bytes())
hours = pickle.loads(Path('data/processed.csv.pkl').read_bytes())
rides = pickle.loads(Path('data/labels.pkl').read_bytes())
rmse = float(np.sqrt(np.mean((model.predict(hours) - rides) ** 2)))
Path('eval_metrics.json').write_text(json.dumps({'rmse': round(rmse, 4), 'rows': len(rides)}))
