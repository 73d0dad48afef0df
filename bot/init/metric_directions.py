"""Which way a metric is better, by the names that people give it. A name that is not known has no direction: a person has to say it."""

from __future__ import annotations

import re

SMALLER = frozenset(
    {
        *(
            "mae",
            "mse",
            "rmse",
            "mape",
            "smape",
            "wape",
            "rmsle",
            "medae",
            "error",
            "err",
            "loss",
            "logloss",
            "deviance",
        ),
        *("perplexity", "brier", "ece", "wer", "cer", "latency", "bias"),
    }
)
GREATER = frozenset(
    {
        *("accuracy", "acc", "auc", "auroc", "auprc", "roc", "f1", "fbeta", "precision", "recall", "r2", "ndcg", "mrr"),
        *(
            "specificity",
            "sensitivity",
            "kappa",
            "mcc",
            "jaccard",
            "iou",
            "dice",
            "bleu",
            "rouge",
            "map",
            "gini",
            "lift",
        ),
    }
)
FROM_TRAINING = frozenset({"train", "training", "fit"})
PARTS = re.compile(r"[^a-z0-9]+")


def greater_is_better(metric: str) -> bool | None:
    """None when the name does not say it, or says both. `val_loss`, `test/RMSE` and `mean_absolute_error` are read by their parts."""
    parts = set(_parts(metric))
    smaller, greater = bool(parts & SMALLER), bool(parts & GREATER)
    return None if smaller is greater else greater


def is_from_training(metric: str) -> bool:
    """Measured on the data that the model learned from, which says nothing about new data."""
    return bool(set(_parts(metric)) & FROM_TRAINING)


def _parts(metric: str) -> list[str]:
    return [part for part in PARTS.split(metric.casefold().replace("log_loss", "logloss")) if part]
