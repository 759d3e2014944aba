"""How a backend is addressed: a Service, a subset, KFServing, KServe Knative, KServe Standard."""
