"""Measure, judge and record what serves: windows of live rows, and looks at an experiment."""
