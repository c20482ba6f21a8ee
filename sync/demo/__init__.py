"""`levelhead demo`: the whole of levelhead on databases that exist only for the show."""
