"""The conscience of the archive: an Orthanc plugin that asks consent at every door."""
