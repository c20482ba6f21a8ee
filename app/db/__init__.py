"""What every model of the sample is built from."""
