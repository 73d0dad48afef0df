"""Kubernetes asks, before it creates or changes anything, whether the models that it names are approved for its namespace.

`plan` says which namespaces; `objects` finds the models in an object; `judging` asks the gate; `review` reads and writes AdmissionReview
v1; `app` is the HTTP door, `server` runs it with TLS.
"""
