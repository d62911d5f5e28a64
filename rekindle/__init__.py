"""Rekindle: a cart left behind comes back."""
