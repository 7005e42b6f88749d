"""What ``gates.yaml`` says: pure data, read once, frozen."""

from gates.policy.promotion_section import Promotion, SignedBy, Stage
from gates.policy.resolved import ResolvedPolicy
from gates.policy.sections import Card, Gate, Policy

__all__ = ["Card", "Gate", "Policy", "Promotion", "ResolvedPolicy", "SignedBy", "Stage"]
