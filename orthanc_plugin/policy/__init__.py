"""Who may have which picture, for what, in which form: pure functions over frozen facts."""
