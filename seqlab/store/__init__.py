"""The shelf: the only thing that both the lab and the desk touch."""
