"""One module for each information object we write."""
