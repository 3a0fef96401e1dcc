"""The two configuration files: settings.toml (where things are) and policy.toml (who may see what, for what)."""
