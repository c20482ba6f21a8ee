"""The sample application: models whose history levelhead's demo and tests migrate."""
