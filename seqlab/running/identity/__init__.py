"""Is a stored result still that of the present code, data and packages? What runs used, and what changed."""
