"""Gateways for short messages; each file translates one API and knows no other."""
