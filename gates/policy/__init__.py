"""What ``gates.yaml`` says: pure data, read once, frozen."""

from gates.policy.bound import Bound
from gates.policy.written import Card, Gate, Policy, Promotion, Stage

__all__ = ["Bound", "Card", "Gate", "Policy", "Promotion", "Stage"]
