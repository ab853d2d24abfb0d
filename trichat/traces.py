"""Traces of a send across the nodes, by OpenTelemetry, where `--otlp-endpoint` says where they go."""
