"""Pictures for people: pairs, GIFs, film strips, curves."""
