"""What the adapters for Databricks' own services share: how to sign in, and its REST API."""
