"""Which part of the photo the model looked at for each word."""
