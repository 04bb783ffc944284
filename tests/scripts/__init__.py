"""Tests of what runs around the service."""
