"""Measuring networks by the paper's protocol, and reports of what was measured."""
