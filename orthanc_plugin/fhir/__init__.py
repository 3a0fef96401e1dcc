"""FHIR R4 Consent in the shape of IHE PCF: consents in and out."""
