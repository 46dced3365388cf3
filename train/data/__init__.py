"""Data sets: read, checked, packed into arrays, split; and stand-in faces that need no download."""
