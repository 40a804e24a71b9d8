"""Networks of other people: what they need is measured, then they run as black boxes."""
