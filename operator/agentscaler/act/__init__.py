"""Talk to the API server: the only package that knows the Kubernetes client."""
