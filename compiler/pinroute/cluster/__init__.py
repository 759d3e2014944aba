"""A Kubernetes cluster: read, compared, written, waited for. The only importer of `urllib3`."""
