"""What a change does to users, between specs and VirtualServices on either side."""
