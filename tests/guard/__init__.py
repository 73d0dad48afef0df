"""The guard of an MLflow server: what it decides, and what nobody gets past on a real one."""
