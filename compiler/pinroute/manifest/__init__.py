"""Kubernetes objects of a stage, and their bytes."""
