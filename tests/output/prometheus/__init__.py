"""What is served to Prometheus."""
