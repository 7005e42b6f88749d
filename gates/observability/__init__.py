"""What other systems see of a model: gauges for Prometheus, and the alert rules and dashboard that read them."""
