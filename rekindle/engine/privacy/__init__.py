"""How is a request about personal data taken, worked on and answered in time?"""
