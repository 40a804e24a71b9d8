"""Pictures of a folder as training samples."""
