"""Who made a change, who approved it, and whether that proves a waiver."""
