"""The blog's findings, checked: its experiments as runs of equal length, measured and judged."""
