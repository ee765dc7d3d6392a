# Included where Slicer includes its own files.
