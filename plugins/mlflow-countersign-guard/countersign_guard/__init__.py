"""An app plugin, `mlflow server --app-name countersign`: what Countersign governs changes only by way of Countersign."""
