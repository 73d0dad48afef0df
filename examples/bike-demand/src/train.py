"""Stage train: one MLflow run that holds everything about one fit. Leaves its id in mlflow_run.json.

Parameters are logged before the fit, so that a run that fails still says what it tried. The commit tagged here is the
one that the code came from; the commit that pins the result does not exist yet (`countersign register` names it).
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import mlflow
import mlflow.sklearn
import pandas as pd
import yaml
from mlflow.data.pandas_dataset import from_pandas
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from surroundings import SHAPES_THE_MODEL, git, require_tracking_server

TRAIN = "data/processed/train.csv"
TARGET = "bikers"

# MLflow keeps scikit-learn models in the skops format, which loads nothing that it was not told to trust.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
REQUIREMENTS = [f"{package}=={version(package)}" for package in ("mlflow", "numpy", "pandas", "scikit-learn", "skops")]


def code_tags() -> dict[str, str]:
    dirty = bool(git("status", "--porcelain", "--", *SHAPES_THE_MODEL))
    return {
        "code_commit": git("rev-parse", "HEAD"),
        "git_dirty": str(dirty).lower(),
        "countersign.commit_author": git("log", "-1", "--format=%ae"),  # so that they do not approve their own work
    }


def main() -> None:
    require_tracking_server()
    settings = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    hours = pd.read_csv(TRAIN, dtype=float)
    features, bikers = hours.drop(columns=TARGET), hours[TARGET]

    mlflow.set_experiment(settings["registered_model"])
    with mlflow.start_run(tags=code_tags()) as run:
        mlflow.log_params({f"train.{name}": value for name, value in settings["train"].items()})
        mlflow.log_input(from_pandas(hours, targets=TARGET, name="train"), context="training")

        model = HistGradientBoostingRegressor(**settings["train"]).fit(features, bikers)
        fitted = model.predict(features)

        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(features, fitted),
            pip_requirements=REQUIREMENTS,
            skops_trusted_types=TRUSTED,
        )
        mlflow.log_metric("train_mae", round(mean_absolute_error(bikers, fitted), 4), model_id=logged.model_id)

    Path("mlflow_run.json").write_text(json.dumps({"run_id": run.info.run_id}) + "\n", encoding="utf-8")
    print(f"train: run {run.info.run_id} fitted {logged.model_uri} on {len(hours):,} hours", flush=True)


if __name__ == "__main__":
    main()
