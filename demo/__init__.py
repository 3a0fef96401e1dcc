"""The walk through the first journey that bin/demo shows: real files, a real Orthanc, real DICOM peers."""
