"""Whether more of a metric is better, as far as its name says it."""

from __future__ import annotations

import re

from bot.domain.names import in_one_line

# fmt: off
SMALLER = frozenset((
    "mae", "mse", "rmse", "mape", "smape", "wape", "mase", "rmsle", "msle", "medae", "max_error", "error", "error_rate",
    "loss", "log_loss", "logloss", "cross_entropy", "hinge_loss", "brier", "brier_score", "brier_score_loss", "perplexity", "wer", "cer",
    "false_positive_rate", "false_negative_rate", "fpr", "fnr", "mean_absolute_error", "mean_squared_error", "root_mean_squared_error",
    "mean_absolute_percentage_error", "median_absolute_error",
))
GREATER = frozenset((
    "r2", "r2_score", "explained_variance", "explained_variance_score", "accuracy", "accuracy_score", "balanced_accuracy", "acc",
    "auc", "roc_auc", "pr_auc", "precision_recall_auc", "average_precision", "f1", "f1_score", "precision", "precision_score",
    "recall", "recall_score", "specificity", "sensitivity", "mcc", "kappa", "iou", "dice", "bleu", "ndcg", "mrr", "hit_rate",
))
SPLITS = frozenset((
    "train", "training", "val", "valid", "validation", "test", "testing", "eval", "evaluation", "holdout", "dev", "cv",
))
AVERAGES = frozenset((
    "macro", "micro", "weighted", "mean", "avg",
))
ABBREVIATIONS = frozenset((
    "mae", "mse", "rmse", "mape", "smape", "wape", "mase", "rmsle", "msle", "auc", "r2", "f1", "wer", "cer", "mcc", "iou", "ndcg", "mrr",
))
# fmt: on


def greater_is_better(metric: str) -> bool | None:
    """None for a name that says nothing. What it was measured on does not matter: train_mae is as mae."""
    words = re.sub(r"[^a-z0-9]+", "_", metric.lower()).strip("_").split("_")
    measured = [word for word in words if word not in SPLITS]
    for named in ("_".join(measured), "_".join(word for word in measured if word not in AVERAGES)):
        if named in SMALLER or named in GREATER:
            return named in GREATER
    return None


def metric_name(metric: str) -> str:
    """For sentences: MAE for mae. Any other name stays as it was logged, on one line."""
    return metric.upper() if metric in ABBREVIATIONS else in_one_line(metric)
