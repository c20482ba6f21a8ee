"""Measures levelhead beside a bare loop that does the least that any sweep must do."""
