"""Turn a clinical photograph into a DICOM object that carries its consent, and back."""
