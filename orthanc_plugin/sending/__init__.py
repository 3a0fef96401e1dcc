"""SENDING: how pictures are made ready and leave, whoever had them sent: the hooks inside Orthanc, or the courier."""
