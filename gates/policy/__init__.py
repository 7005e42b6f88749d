"""What ``gates.yaml`` says: pure data, read once, frozen."""

from gates.policy.resolved import Bound
from gates.policy.sections import Card, Gate, Policy, Promotion, Stage

__all__ = ["Bound", "Card", "Gate", "Policy", "Promotion", "Stage"]
