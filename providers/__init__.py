"""Adapters to the databases that levelhead keeps level, behind one contract."""
