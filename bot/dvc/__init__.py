"""Reads what DVC keeps in a repository: `dvc.lock`, `dvc.yaml`, and the files that they name."""
