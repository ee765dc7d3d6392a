"""What a reader takes home: one self-contained HTML page per forecast."""
