"""Stage evaluate: loads the logged model back from MLflow and judges it by the held-out hours.

What is judged are the very bytes that will be registered. The figures go to the run, to the logged model (with the
digest of the hours that they were measured on), and to metrics.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from surroundings import require_tracking_server

TEST = "data/processed/test.csv"
TARGET = "bikers"


def main() -> None:
    require_tracking_server()
    run_id = json.loads(Path("mlflow_run.json").read_text(encoding="utf-8"))["run_id"]
    hours = pd.read_csv(TEST, dtype=float)
    held_out = from_pandas(hours, targets=TARGET, name="test")

    with mlflow.start_run(run_id=run_id) as run:
        model_id = run.outputs.model_outputs[-1].model_id
        predicted = mlflow.sklearn.load_model(f"models:/{model_id}").predict(hours.drop(columns=TARGET))
        measured = {
            "mae": round(mean_absolute_error(hours[TARGET], predicted), 4),
            "rmse": round(root_mean_squared_error(hours[TARGET], predicted), 4),
            "r2": round(r2_score(hours[TARGET], predicted), 4),
        }
        mlflow.log_input(held_out, context="evaluation")
        mlflow.log_metrics(measured, model_id=model_id, dataset=held_out)

    Path("metrics.json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    figures = ", ".join(f"{name} {value}" for name, value in measured.items())
    print(f"evaluate: {figures} on {len(hours):,} held-out hours", flush=True)


if __name__ == "__main__":
    main()
