"""Networks that torch computes."""
