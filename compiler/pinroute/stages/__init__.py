"""One complete state of the routing for each stage of an experiment."""
