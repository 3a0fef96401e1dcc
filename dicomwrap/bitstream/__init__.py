"""JPEG streams as bytes: take apart, clean, hold against a DICOM header."""
