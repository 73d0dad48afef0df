"""MLflow: the registry, its runs, their artifacts and its webhooks."""
