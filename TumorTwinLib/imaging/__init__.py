"""From scanner files to images on one grid: reading, recognizing, registering, correcting, tissue maps."""
