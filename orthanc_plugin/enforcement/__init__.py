"""The hooks: each builds a request, asks the gate, and obeys. The only storey that speaks to Orthanc's SDK."""
