"""A data set of generated avatars, rendered to files in Cartoon Set's layout."""
