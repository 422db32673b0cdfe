"""How is a model trained, so that a comparison is fair and a kill costs a minute at most?"""
