"""Disposition of records: plan, decisions, approval, execution, certificate. Nothing is destroyed by a date alone."""
