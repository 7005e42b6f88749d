"""What a command did, and when, as a trace for OpenTelemetry."""
