"""De-identification by PS3.15 Annex E: from an original to a copy that may leave."""
