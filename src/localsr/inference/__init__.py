"""From a photo and a box to HR pixels."""
