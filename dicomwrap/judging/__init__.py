"""The judgements of ``dicomwrap verify``, one module a kind."""
