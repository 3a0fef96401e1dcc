"""Command line of Consentgate."""
