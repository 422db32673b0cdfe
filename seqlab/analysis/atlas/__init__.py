"""The crossover atlas: what was measured of it, and what a cell never measured is predicted to take."""
