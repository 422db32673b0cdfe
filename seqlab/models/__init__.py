"""The architectures: one a file, each exporting `Config` and `Model`; heads turn bodies into whole models."""
