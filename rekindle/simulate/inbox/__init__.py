"""The demo inbox: a real SMTP server on loopback whose mail is read in the browser."""
