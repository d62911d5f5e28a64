"""How do messages reach browsers and phones? Web push (RFC 8030, 8188, 8291, 8292) and Firebase for apps."""
