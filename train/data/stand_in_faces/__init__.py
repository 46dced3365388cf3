"""Rendered faces with Cartoon Set's files and attributes: a stand-in that needs no download."""
