"""gates: CI/CD gates for machine-learning models, driven by one ``gates.yaml``."""

__version__ = "0.1.0"
