"""The Hugging Face Hub: model repositories and Spaces, their cards, uploads and new attempts."""
