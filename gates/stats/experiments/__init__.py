"""Statistics of experiments: two arms of units, looked at again and again."""
