"""Requests about personal data."""
