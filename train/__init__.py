"""The trainer of the avatar model: a file for every command, a folder for every subject below."""
