"""Pictures for people: comparison sheets, the map of attention."""
