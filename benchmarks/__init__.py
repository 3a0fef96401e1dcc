"""Measurements, as ratios of arms that ran side by side. Never part of the tests."""
