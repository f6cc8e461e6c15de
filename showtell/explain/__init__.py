"""Which part of the photo each word of a caption came from: three methods, and a check of what their maps mean."""
