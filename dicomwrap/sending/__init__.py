"""Objects leave for an archive: C-STORE or STOW-RS, storage commitment, and the worklist that comes before."""
