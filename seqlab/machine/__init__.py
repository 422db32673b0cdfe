"""What computes here: the device, its BLAS and its settings for speed."""
