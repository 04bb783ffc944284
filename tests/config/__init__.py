"""Tests of the settings and entry points."""
