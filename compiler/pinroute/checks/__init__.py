"""The lint: what is wrong with any VirtualService, hand-written ones too. Pure."""
