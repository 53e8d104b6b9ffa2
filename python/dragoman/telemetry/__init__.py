"""What operators watch: Prometheus figures, logs, and the trace context that is carried along."""
