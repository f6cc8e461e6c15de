"""`make attack`: damaged inputs, kills, full disks and two processes at once, tried on the commands. docs/trust.md."""
