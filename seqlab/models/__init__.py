"""The architectures, one per file, each with `Config` and `Model`; heads make whole models of backbones."""
