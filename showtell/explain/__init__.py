"""Where in the photo each word looked."""
