"""What hand-ins of courses need: checkpoints in a course's form, a report as PDF, a checked zip, scripts."""
