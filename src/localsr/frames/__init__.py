"""Other frames of the same scene: clips, bursts and pages in; registered, weighed and put together on arrays."""
