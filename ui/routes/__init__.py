"""What the server answers besides the page: plain addresses, and endpoints for programs."""
