"""Under the floor: nothing here knows a photo or a caption."""
