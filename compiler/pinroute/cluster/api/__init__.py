"""The API server: found, trusted, asked, and understood when it says no."""
