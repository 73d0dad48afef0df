"""`countersign register`: ties a commit, its dvc.lock, a run and a model version together, in the training repository itself.

`repository` asks git, `pipeline` asks DVC and the files, `run` asks MLflow; `checks` compares them, and `binding` writes what follows.
"""
