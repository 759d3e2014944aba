"""What Istio and Envoy do with routes: the ordered list, the manifest, the translation, the limits."""
