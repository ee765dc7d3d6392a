"""What was or will be done to the tumour: events in time, and what each does to cells."""
