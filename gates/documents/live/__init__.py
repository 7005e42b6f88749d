"""What live rows become: their counts by window, the profile they are compared with, and the verdicts."""
