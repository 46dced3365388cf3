"""What the server writes as HTML, each beside the script that gives life to it."""
