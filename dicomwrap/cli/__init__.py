"""Command line of dicomwrap."""
