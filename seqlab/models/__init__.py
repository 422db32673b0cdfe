"""The architectures, one a file, each with `Config` and `Model`; heads make whole models of backbones."""
