"""Readers of photographs, chosen by content."""
