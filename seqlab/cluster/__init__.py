"""Trials on the workers of a Dask cluster; results come home to the one store."""
