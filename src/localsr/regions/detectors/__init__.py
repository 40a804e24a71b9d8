"""Detectors that find regions in a photo."""
