"""Network layers that several rooms share."""
