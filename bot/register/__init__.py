"""`countersign register`: links a commit, its dvc.lock, a run and a model version, inside the training repository.

`repository` asks git, `pipeline` asks DVC and reads files, `run` asks MLflow; `workbench` has the three, `checks` compares them, and
`binding` writes the result.
"""
