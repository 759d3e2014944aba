"""Routing tables over all strings: build, look up, measure, minimise.

Pure set and tree work: nothing in here knows what Istio is.
"""
