"""The data themselves; `README.md` names the source and licence of each."""
