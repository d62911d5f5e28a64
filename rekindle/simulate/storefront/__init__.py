"""The demo shop: a small outdoor outfitter whose carts Rekindle brings back."""
