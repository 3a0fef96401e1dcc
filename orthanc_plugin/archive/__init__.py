"""The archive as Consentgate sees it: one port, and one adapter for each way to reach Orthanc."""
