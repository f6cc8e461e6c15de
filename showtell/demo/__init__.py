"""The three-minute demo."""
