"""`levelhead demo`: the whole path on embedded defaults."""
