"""The life of a consent: what is recorded, withdrawn, renewed, recalled and imported, each in one transaction."""
