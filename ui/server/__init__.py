"""The web server around the page: how much of it anybody may take up, and how it stops."""
